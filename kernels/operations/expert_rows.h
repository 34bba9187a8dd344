#pragma once

#include "kernels/operations/element.h"

// kernels/expert_rows.h, on plain memory.
namespace phalanx::kernels {

// rows_of_expert [count] is how many rows each expert has. A choice beyond the experts stops the
// process.
struct OrderByExpert {
  const std::int64_t* experts;
  std::int64_t choices, count;
  std::int64_t *choice_of_row, *row_of_choice, *rows_of_expert;
};

// Row i of `to` = row index[i] / divisor of `from`.
template <class T>
struct GatherRows {
  const T* from;
  const std::int64_t* index;
  std::int64_t divisor;
  T* to;
  Rows rows;
};

// `weights` null: all are 1. `rows` are those of y: one a token.
template <class T>
struct AddRows {
  const T* from;
  const std::int64_t* row_of_choice;
  const Wide<T>* weights;
  std::int64_t chosen;
  T* y;
  Rows rows;
};

// `rows` are those of `from` and dfrom: one a choice.
template <class T>
struct AddRowsBackward {
  const T *dy, *from;
  const std::int64_t* choice_of_row;
  const Wide<T>* weights;
  std::int64_t chosen;
  T* dfrom;
  Wide<T>* dweights;
  Rows rows;
};

}  // namespace phalanx::kernels

#pragma once

#include "kernels/operations/element.h"
#include "kernels/operations/matrix.h"

// kernels/attention.h, on plain memory.
namespace phalanx::kernels {

// Of queries, keys or what is shaped as they are: the vector of head h at (sequence, position)
// begins at data + sequence * sequence_stride + position * row_stride + h * head_width.
template <class T>
struct HeadVectors {
  T* data;
  std::int64_t sequence_stride, row_stride;
};

// One number for each (sequence, query head, query), those of queries one after another.
template <class T>
struct QueryScalars {
  T* data;
  std::int64_t sequence_stride, head_stride;
};

struct AttentionSizes {
  std::int64_t sequences, queries, keys, query_heads, key_heads, head_width;
  std::int64_t first_query, first_key;  // positions
  const std::int64_t* first_visible;    // [sequences, queries]; null: 0
  std::int64_t first_visible_stride;    // of sequences
};

// Into::kSum: `out` and `log_sum_exp` are attention to other keys, which these are added to.
template <class T, class Out>
struct AttentionForward {
  HeadVectors<const T> q, k, v;
  HeadVectors<Out> out;
  QueryScalars<Wide<T>> log_sum_exp;
  AttentionSizes sizes;
  Into into;
};

// The memory of the gradients may be that of q, k and v.
template <class T, class Gradient>
struct AttentionBackward {
  HeadVectors<const T> dout, q, k, v, out;
  QueryScalars<const Wide<T>> log_sum_exp;
  HeadVectors<Gradient> dq, dk, dv;
  AttentionSizes sizes;
  Into into;
};

}  // namespace phalanx::kernels

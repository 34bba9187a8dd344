#pragma once

#include "kernels/operations/element.h"

// kernels/rope.h, on plain memory.
namespace phalanx::kernels {

// Row r, of `sequences` times `length`, begins `stride` elements after the one before it and is
// turned as row r % length of the table says; `sign` is 1 to turn, -1 to turn back.
template <class T>
struct RopeTurn {
  T* x;
  const Wide<T>* table;
  Wide<T> sign;
  std::int64_t sequences, length, heads, head_width, stride;
};

}  // namespace phalanx::kernels

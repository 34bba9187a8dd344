#pragma once

#include <cstdint>

namespace phalanx::kernels {

enum class Transpose { kNo, kYes };
enum class Into { kNew, kSum };  // a result replaces what is there, or is added to it

// A row-major matrix, or its transpose, in someone else's memory; `stride` is the distance of its
// rows in elements.
template <class T>
struct Matrix {
  T* data;
  std::int64_t stride;
  Transpose transpose = Transpose::kNo;
};

}  // namespace phalanx::kernels

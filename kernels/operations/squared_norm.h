#pragma once

#include <cstdint>

namespace phalanx::kernels {

// kernels/squared_norm.h, on plain memory: the sum goes to *norm.
template <class T>
struct SquaredNorm {
  const T* values;
  std::int64_t count;
  double* norm;
};

}  // namespace phalanx::kernels

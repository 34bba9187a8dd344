#pragma once

#include "kernels/operations/element.h"

// kernels/gelu.h, on plain memory.
namespace phalanx::kernels {

constexpr double kGeluTwiceRoot = 1.5957691216057308;  // 2 sqrt(2 / pi)
constexpr double kGeluCubic = 0.044715;

template <class T>
struct GeluForward {
  const T* x;
  T* y;
  std::int64_t count;
};

template <class T>
struct GeluBackward {
  T *dy, *x;
  std::int64_t count;
};

}  // namespace phalanx::kernels

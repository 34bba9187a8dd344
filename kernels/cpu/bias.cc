#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void add(BiasForward<T> a) {
  const Rows rows = a.rows;
  T* y = a.y;
  for (std::int64_t row = 0; row < rows.count; ++row, y += rows.width)
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) y[i] = rounded<T>(wide(y[i]) + a.bias[i]);
}

template <class T>
PHALANX_INLINE void sum(BiasBackward<T> a) {
  const Rows rows = a.rows;
  const T* dy = a.dy;
  for (std::int64_t row = 0; row < rows.count; ++row, dy += rows.width)
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) a.dbias[i] += wide(dy[i]);
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const BiasForward<float>& a) {
  add(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const BiasForward<double>& a) {
  add(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const BiasForward<Bf16>& a) {
  add(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const BiasBackward<float>& a) {
  sum(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const BiasBackward<double>& a) {
  sum(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const BiasBackward<Bf16>& a) {
  sum(a);
}

}  // namespace phalanx::kernels

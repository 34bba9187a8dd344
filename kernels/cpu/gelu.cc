#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

// (1 + tanh(u)) / 2 is the sigmoid of 2 u.
template <class T>
PHALANX_INLINE T half_one_plus_tanh(T x) {
  const T twice = T(kGeluTwiceRoot) * x * (T(1) + T(kGeluCubic) * x * x);
  return T(1) / (T(1) + exponential(-twice));
}

template <class T>
PHALANX_INLINE void forward(GeluForward<T> a) {
#pragma omp simd
  for (std::int64_t i = 0; i < a.count; ++i)
    a.y[i] = rounded<T>(wide(a.x[i]) * half_one_plus_tanh(wide(a.x[i])));
}

template <class T>
PHALANX_INLINE void backward(GeluBackward<T> a) {
#pragma omp simd
  for (std::int64_t i = 0; i < a.count; ++i) {
    const Wide<T> value = wide(a.x[i]), share = half_one_plus_tanh(value);
    const Wide<T> slope =
        Wide<T>(kGeluTwiceRoot) * (Wide<T>(1) + Wide<T>(3 * kGeluCubic) * value * value);
    const Wide<T> d = wide(a.dy[i]);
    a.dy[i] = rounded<T>(value * share);
    a.x[i] = rounded<T>(d * share * (Wide<T>(1) + value * (Wide<T>(1) - share) * slope));
  }
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const GeluForward<float>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GeluForward<double>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GeluForward<Bf16>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GeluBackward<float>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GeluBackward<double>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GeluBackward<Bf16>& a) {
  backward(a);
}

}  // namespace phalanx::kernels

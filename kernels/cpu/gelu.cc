#include "kernels/gelu.h"

#include <ATen/ops/empty_like.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

constexpr double kTwiceRoot = 1.5957691216057308;  // 2 sqrt(2 / pi)
constexpr double kCubic = 0.044715;

// (1 + tanh(u)) / 2 is the sigmoid of 2 u.
template <class T>
PHALANX_INLINE T half_one_plus_tanh(T x) {
  const T twice = T(kTwiceRoot) * x * (T(1) + T(kCubic) * x * x);
  return T(1) / (T(1) + exponential(-twice));
}

template <class T>
PHALANX_INLINE void forward(const T* x, T* y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i)
    y[i] = rounded<T>(wide(x[i]) * half_one_plus_tanh(wide(x[i])));
}

template <class T>
PHALANX_INLINE void backward(T* dy, T* x, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const Wide<T> value = wide(x[i]), share = half_one_plus_tanh(value);
    const Wide<T> slope = Wide<T>(kTwiceRoot) * (Wide<T>(1) + Wide<T>(3 * kCubic) * value * value);
    const Wide<T> d = wide(dy[i]);
    dy[i] = rounded<T>(value * share);
    x[i] = rounded<T>(d * share * (Wide<T>(1) + value * (Wide<T>(1) - share) * slope));
  }
}

PHALANX_VECTORIZED void run(const float* x, float* y, std::int64_t count) { forward(x, y, count); }
PHALANX_VECTORIZED void run(const double* x, double* y, std::int64_t count) {
  forward(x, y, count);
}
PHALANX_VECTORIZED void run(const Bf16* x, Bf16* y, std::int64_t count) { forward(x, y, count); }
PHALANX_VECTORIZED void run_backward(float* dy, float* x, std::int64_t count) {
  backward(dy, x, count);
}
PHALANX_VECTORIZED void run_backward(double* dy, double* x, std::int64_t count) {
  backward(dy, x, count);
}
PHALANX_VECTORIZED void run_backward(Bf16* dy, Bf16* x, std::int64_t count) {
  backward(dy, x, count);
}

}  // namespace

at::Tensor gelu(const at::Tensor& x) {
  check(x.is_contiguous(), "gelu: x must be contiguous");
  auto y = at::empty_like(x);
  for_activation_type(
      x, [&]<class T>(T) { run(x.const_data_ptr<T>(), y.mutable_data_ptr<T>(), x.numel()); });
  return y;
}

void gelu_backward(at::Tensor& dy, at::Tensor& x) {
  check(dy.sizes() == x.sizes() && dy.is_contiguous(), "gelu: dy must have the shape of x");
  for_activation_type(x, [&]<class T>(T) {
    run_backward(dy.mutable_data_ptr<T>(), x.mutable_data_ptr<T>(), x.numel());
  });
}

}  // namespace phalanx::kernels

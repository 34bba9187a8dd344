#include "kernels/rms_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

struct Rows {
  std::int64_t count, width;
};

template <class T>
PHALANX_INLINE void forward(const T* x, const T* weight, T epsilon, Rows rows, T* y,
                            T* inverse_rms) {
  for (std::int64_t row = 0; row < rows.count; ++row, x += rows.width, y += rows.width) {
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < rows.width; ++i) squares += x[i] * x[i];
    const T scale = T(1) / std::sqrt(squares / static_cast<T>(rows.width) + epsilon);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) y[i] = x[i] * scale * weight[i];
    inverse_rms[row] = scale;
  }
}

template <class T>
struct BackwardArguments {
  const T *dy, *x, *weight, *inverse_rms, *residual;
  T *dx, *dweight;
};

// With n = x * inverse_rms and g = dy * weight: dx = inverse_rms * (g - n * mean(g * n)), dweight =
// sum of dy * n.
template <class T>
PHALANX_INLINE void backward(BackwardArguments<T> a, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const std::int64_t at = row * rows.width;
    const T *dy = a.dy + at, *x = a.x + at;
    T* dx = a.dx + at;
    const T scale = a.inverse_rms[row];
    T dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < rows.width; ++i) dot += dy[i] * a.weight[i] * x[i];
    const T along = dot * scale * scale / static_cast<T>(rows.width);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) {
      dx[i] = scale * (dy[i] * a.weight[i] - x[i] * along);
      a.dweight[i] += dy[i] * x[i] * scale;
    }
    if (a.residual == nullptr) continue;
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) dx[i] += a.residual[at + i];
  }
}

PHALANX_VECTORIZED void run(const float* x, const float* weight, float epsilon, Rows rows, float* y,
                            float* inverse_rms) {
  forward(x, weight, epsilon, rows, y, inverse_rms);
}
PHALANX_VECTORIZED void run(const double* x, const double* weight, double epsilon, Rows rows,
                            double* y, double* inverse_rms) {
  forward(x, weight, epsilon, rows, y, inverse_rms);
}
PHALANX_VECTORIZED void run(BackwardArguments<float> a, Rows rows) { backward(a, rows); }
PHALANX_VECTORIZED void run(BackwardArguments<double> a, Rows rows) { backward(a, rows); }

}  // namespace

RmsNorm rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const Rows rows{x.numel() / x.size(-1), x.size(-1)};
  check(x.is_contiguous() && weight.numel() == rows.width, "rms_norm: x must be [..., width]");
  RmsNorm result{at::empty_like(x), at::empty({rows.count}, x.options())};
  for_element_type(x, [&]<class T>(T) {
    run(x.const_data_ptr<T>(), weight.const_data_ptr<T>(), static_cast<T>(epsilon), rows,
        result.y.mutable_data_ptr<T>(), result.inverse_rms.mutable_data_ptr<T>());
  });
  return result;
}

RmsNormGradient rms_norm_backward(const at::Tensor& dy, const at::Tensor& x,
                                  const at::Tensor& weight, const at::Tensor& inverse_rms,
                                  const at::Tensor& residual) {
  const Rows rows{x.numel() / x.size(-1), x.size(-1)};
  check(dy.is_contiguous() && dy.numel() == x.numel(), "rms_norm: dy must have the shape of x");
  RmsNormGradient result{at::empty_like(x), at::zeros_like(weight)};
  for_element_type(x, [&]<class T>(T) {
    run(BackwardArguments<T>{dy.const_data_ptr<T>(), x.const_data_ptr<T>(),
                             weight.const_data_ptr<T>(), inverse_rms.const_data_ptr<T>(),
                             residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                             result.dx.mutable_data_ptr<T>(), result.dweight.mutable_data_ptr<T>()},
        rows);
  });
  return result;
}

}  // namespace phalanx::kernels

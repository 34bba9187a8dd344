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
PHALANX_INLINE void forward(const T* x, const Wide<T>* weight, Wide<T> epsilon, Rows rows, T* y,
                            Wide<T>* inverse_rms) {
  for (std::int64_t row = 0; row < rows.count; ++row, x += rows.width, y += rows.width) {
    Wide<T> squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < rows.width; ++i) squares += wide(x[i]) * wide(x[i]);
    const Wide<T> scale =
        Wide<T>(1) / std::sqrt(squares / static_cast<Wide<T>>(rows.width) + epsilon);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) y[i] = rounded<T>(wide(x[i]) * scale * weight[i]);
    inverse_rms[row] = scale;
  }
}

template <class T>
struct BackwardArguments {
  T* dy;
  const T *x, *residual;
  const Wide<T>*weight, *inverse_rms;
  T* dx;
  Wide<T>* dweight;
};

// With n = x * inverse_rms and g = dy * weight: dx = inverse_rms * (g - n * mean(g * n)), dweight =
// sum of dy * n.
template <class T>
PHALANX_INLINE void backward(BackwardArguments<T> a, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const std::int64_t at = row * rows.width;
    const T *x = a.x + at, *residual = a.residual + at;
    T *dy = a.dy + at, *dx = a.dx + at;
    const Wide<T> scale = a.inverse_rms[row];
    Wide<T> dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < rows.width; ++i) dot += wide(dy[i]) * a.weight[i] * wide(x[i]);
    const Wide<T> along = dot * scale * scale / static_cast<Wide<T>>(rows.width);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) {
      const Wide<T> d = wide(dy[i]), value = wide(x[i]);
      const Wide<T> around = a.residual == nullptr ? Wide<T>(0) : wide(residual[i]);
      dx[i] = rounded<T>(scale * (d * a.weight[i] - value * along) + around);
      a.dweight[i] += d * value * scale;
      dy[i] = rounded<T>(value * scale * a.weight[i]);
    }
  }
}

PHALANX_VECTORIZED void run(const float* x, const float* weight, float epsilon, Rows rows, float* y,
                            float* inverse_rms) {
  forward(x, weight, epsilon, rows, y, inverse_rms);
}
PHALANX_VECTORIZED void run(BackwardArguments<float> a, Rows rows) { backward(a, rows); }
PHALANX_VECTORIZED void run(const double* x, const double* weight, double epsilon, Rows rows,
                            double* y, double* inverse_rms) {
  forward(x, weight, epsilon, rows, y, inverse_rms);
}
PHALANX_VECTORIZED void run(BackwardArguments<double> a, Rows rows) { backward(a, rows); }
PHALANX_VECTORIZED void run(const Bf16* x, const float* weight, float epsilon, Rows rows, Bf16* y,
                            float* inverse_rms) {
  forward(x, weight, epsilon, rows, y, inverse_rms);
}
PHALANX_VECTORIZED void run(BackwardArguments<Bf16> a, Rows rows) { backward(a, rows); }

}  // namespace

RmsNorm rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const Rows rows{x.numel() / x.size(-1), x.size(-1)};
  check(x.is_contiguous() && weight.numel() == rows.width, "rms_norm: x must be [..., width]");
  RmsNorm result{at::empty_like(x), at::empty({rows.count}, weight.options())};
  for_activation_type(x, [&]<class T>(T) {
    run(x.const_data_ptr<T>(), weight.const_data_ptr<Wide<T>>(), static_cast<Wide<T>>(epsilon),
        rows, result.y.mutable_data_ptr<T>(), result.inverse_rms.mutable_data_ptr<Wide<T>>());
  });
  return result;
}

RmsNormGradient rms_norm_backward(at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& inverse_rms, const at::Tensor& residual) {
  const Rows rows{x.numel() / x.size(-1), x.size(-1)};
  check(dy.is_contiguous() && dy.numel() == x.numel(), "rms_norm: dy must have the shape of x");
  RmsNormGradient result{at::empty_like(x), at::zeros_like(weight)};
  for_activation_type(x, [&]<class T>(T) {
    run(BackwardArguments<T>{dy.mutable_data_ptr<T>(), x.const_data_ptr<T>(),
                             residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                             weight.const_data_ptr<Wide<T>>(),
                             inverse_rms.const_data_ptr<Wide<T>>(), result.dx.mutable_data_ptr<T>(),
                             result.dweight.mutable_data_ptr<Wide<T>>()},
        rows);
  });
  return result;
}

}  // namespace phalanx::kernels

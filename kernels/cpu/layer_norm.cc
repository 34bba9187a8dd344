#include "kernels/layer_norm.h"

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
struct ForwardArguments {
  const T* x;
  const Wide<T>*weight, *bias;
  Wide<T> epsilon;
  T* y;
  Wide<T>*mean, *inverse_deviation;
};

// The variance in a pass of its own: the difference of two large sums would cancel.
template <class T>
PHALANX_INLINE void forward(ForwardArguments<T> a, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const T* x = a.x + row * rows.width;
    T* y = a.y + row * rows.width;
    Wide<T> sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < rows.width; ++i) sum += wide(x[i]);
    const Wide<T> mean = sum / static_cast<Wide<T>>(rows.width);
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < rows.width; ++i)
      squares += (wide(x[i]) - mean) * (wide(x[i]) - mean);
    const Wide<T> scale =
        Wide<T>(1) / std::sqrt(squares / static_cast<Wide<T>>(rows.width) + a.epsilon);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i)
      y[i] = rounded<T>((wide(x[i]) - mean) * scale * a.weight[i] + a.bias[i]);
    a.mean[row] = mean;
    a.inverse_deviation[row] = scale;
  }
}

template <class T>
struct BackwardArguments {
  T* dy;
  const T *x, *residual;
  const Wide<T>*weight, *bias, *mean, *inverse_deviation;
  T* dx;
  Wide<T>*dweight, *dbias;
};

// With n = (x - mean) * inverse_deviation and g = dy * weight:
//   dx = inverse_deviation * (g - mean(g) - n * mean(g * n)),
// dweight = sum of dy * n, dbias = sum of dy.
template <class T>
PHALANX_INLINE void backward(BackwardArguments<T> a, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const std::int64_t at = row * rows.width;
    const T *x = a.x + at, *residual = a.residual + at;
    T *dy = a.dy + at, *dx = a.dx + at;
    const Wide<T> scale = a.inverse_deviation[row], mean = a.mean[row];
    Wide<T> sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
    for (std::int64_t i = 0; i < rows.width; ++i) {
      const Wide<T> g = wide(dy[i]) * a.weight[i];
      sum += g;
      dot += g * (wide(x[i]) - mean) * scale;
    }
    const Wide<T> shift = sum / static_cast<Wide<T>>(rows.width);
    const Wide<T> along = dot / static_cast<Wide<T>>(rows.width);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) {
      const Wide<T> d = wide(dy[i]), normed = (wide(x[i]) - mean) * scale;
      const Wide<T> around = a.residual == nullptr ? Wide<T>(0) : wide(residual[i]);
      dx[i] = rounded<T>(scale * (d * a.weight[i] - shift - normed * along) + around);
      a.dweight[i] += d * normed;
      a.dbias[i] += d;
      dy[i] = rounded<T>(normed * a.weight[i] + a.bias[i]);
    }
  }
}

PHALANX_VECTORIZED void run(ForwardArguments<float> a, Rows rows) { forward(a, rows); }
PHALANX_VECTORIZED void run(ForwardArguments<double> a, Rows rows) { forward(a, rows); }
PHALANX_VECTORIZED void run(ForwardArguments<Bf16> a, Rows rows) { forward(a, rows); }
PHALANX_VECTORIZED void run(BackwardArguments<float> a, Rows rows) { backward(a, rows); }
PHALANX_VECTORIZED void run(BackwardArguments<double> a, Rows rows) { backward(a, rows); }
PHALANX_VECTORIZED void run(BackwardArguments<Bf16> a, Rows rows) { backward(a, rows); }

}  // namespace

LayerNorm layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon) {
  const Rows rows{x.numel() / x.size(-1), x.size(-1)};
  check(x.is_contiguous() && weight.numel() == rows.width && bias.numel() == rows.width,
        "layer_norm: x must be [..., width], weight and bias [width]");
  LayerNorm result{at::empty_like(x), at::empty({rows.count}, weight.options()),
                   at::empty({rows.count}, weight.options())};
  for_activation_type(x, [&]<class T>(T) {
    run(ForwardArguments<T>{x.const_data_ptr<T>(), weight.const_data_ptr<Wide<T>>(),
                            bias.const_data_ptr<Wide<T>>(), static_cast<Wide<T>>(epsilon),
                            result.y.mutable_data_ptr<T>(),
                            result.mean.mutable_data_ptr<Wide<T>>(),
                            result.inverse_deviation.mutable_data_ptr<Wide<T>>()},
        rows);
  });
  return result;
}

LayerNormGradient layer_norm_backward(at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                      const at::Tensor& bias, const at::Tensor& mean,
                                      const at::Tensor& inverse_deviation,
                                      const at::Tensor& residual) {
  const Rows rows{x.numel() / x.size(-1), x.size(-1)};
  check(dy.is_contiguous() && dy.numel() == x.numel(), "layer_norm: dy must have the shape of x");
  LayerNormGradient result{at::empty_like(x), at::zeros_like(weight), at::zeros_like(weight)};
  for_activation_type(x, [&]<class T>(T) {
    run(BackwardArguments<T>{dy.mutable_data_ptr<T>(), x.const_data_ptr<T>(),
                             residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                             weight.const_data_ptr<Wide<T>>(), bias.const_data_ptr<Wide<T>>(),
                             mean.const_data_ptr<Wide<T>>(),
                             inverse_deviation.const_data_ptr<Wide<T>>(),
                             result.dx.mutable_data_ptr<T>(),
                             result.dweight.mutable_data_ptr<Wide<T>>(),
                             result.dbias.mutable_data_ptr<Wide<T>>()},
        rows);
  });
  return result;
}

}  // namespace phalanx::kernels

#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

// The variance in a pass of its own: the difference of two large sums would cancel.
template <class T>
PHALANX_INLINE void forward(LayerNormForward<T> a) {
  const Rows rows = a.rows;
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

// With n = (x - mean) * inverse_deviation and g = dy * weight:
//   dx = inverse_deviation * (g - mean(g) - n * mean(g * n)),
// dweight = sum of dy * n, dbias = sum of dy.
template <class T>
PHALANX_INLINE void backward(LayerNormBackward<T> a) {
  const Rows rows = a.rows;
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

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const LayerNormForward<float>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LayerNormForward<double>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LayerNormForward<Bf16>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LayerNormBackward<float>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LayerNormBackward<double>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const LayerNormBackward<Bf16>& a) {
  backward(a);
}

}  // namespace phalanx::kernels

#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void forward(RmsNormForward<T> a) {
  const Rows rows = a.rows;
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const T* x = a.x + row * rows.width;
    T* y = a.y + row * rows.width;
    Wide<T> squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < rows.width; ++i) squares += wide(x[i]) * wide(x[i]);
    const Wide<T> scale =
        Wide<T>(1) / std::sqrt(squares / static_cast<Wide<T>>(rows.width) + a.epsilon);
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i)
      y[i] = rounded<T>(wide(x[i]) * scale * a.weight[i]);
    a.inverse_rms[row] = scale;
  }
}

// With n = x * inverse_rms and g = dy * weight: dx = inverse_rms * (g - n * mean(g * n)), dweight =
// sum of dy * n.
template <class T>
PHALANX_INLINE void backward(RmsNormBackward<T> a) {
  const Rows rows = a.rows;
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

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const RmsNormForward<float>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RmsNormForward<double>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RmsNormForward<Bf16>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RmsNormBackward<float>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RmsNormBackward<double>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RmsNormBackward<Bf16>& a) {
  backward(a);
}

}  // namespace phalanx::kernels

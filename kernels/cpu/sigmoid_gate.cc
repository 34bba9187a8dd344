#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void forward(GateForward<T> a) {
  const Rows rows = a.rows;
  const T* x = a.x;
  T* y = a.y;
  for (std::int64_t row = 0; row < rows.count; ++row, x += rows.width, y += rows.width) {
    const Wide<T> gate = Wide<T>(1) / (Wide<T>(1) + exponential(-wide(a.logits[row])));
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) y[i] = rounded<T>(wide(y[i]) + gate * wide(x[i]));
  }
}

template <class T>
PHALANX_INLINE void backward(GateBackward<T> a) {
  const Rows rows = a.rows;
  const T* dy = a.dy;
  T* x = a.x;
  for (std::int64_t row = 0; row < rows.count; ++row, x += rows.width, dy += rows.width) {
    const Wide<T> gate = Wide<T>(1) / (Wide<T>(1) + exponential(-wide(a.logits[row])));
    Wide<T> dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < rows.width; ++i) {
      dot += wide(dy[i]) * wide(x[i]);
      x[i] = rounded<T>(gate * wide(dy[i]));
    }
    a.logits[row] = rounded<T>(dot * gate * (Wide<T>(1) - gate));
  }
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const GateForward<float>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GateForward<double>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GateForward<Bf16>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GateBackward<float>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GateBackward<double>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const GateBackward<Bf16>& a) {
  backward(a);
}

}  // namespace phalanx::kernels

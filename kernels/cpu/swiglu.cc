#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void forward(SwigluForward<T> a) {
  const Rows rows = a.rows;
  const T* gate = a.gate_up;
  T* y = a.y;
  for (std::int64_t row = 0; row < rows.count; ++row, gate += 2 * rows.width, y += rows.width) {
    const T* up = gate + rows.width;
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) {
      const Wide<T> g = wide(gate[i]), sigmoid = Wide<T>(1) / (Wide<T>(1) + exponential(-g));
      y[i] = rounded<T>(g * wide(up[i]) * sigmoid);
    }
  }
}

template <class T>
PHALANX_INLINE void backward(SwigluBackward<T> a) {
  const Rows rows = a.rows;
  T *gate = a.gate_up, *dy = a.dy;
  for (std::int64_t row = 0; row < rows.count; ++row, gate += 2 * rows.width, dy += rows.width) {
    T* up = gate + rows.width;
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) {
      const Wide<T> d = wide(dy[i]), g = wide(gate[i]), u = wide(up[i]);
      const Wide<T> sigmoid = Wide<T>(1) / (Wide<T>(1) + exponential(-g));
      dy[i] = rounded<T>(g * u * sigmoid);
      gate[i] = rounded<T>(d * u * sigmoid * (Wide<T>(1) + g * (Wide<T>(1) - sigmoid)));
      up[i] = rounded<T>(d * g * sigmoid);
    }
  }
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const SwigluForward<float>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const SwigluForward<double>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const SwigluForward<Bf16>& a) {
  forward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const SwigluBackward<float>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const SwigluBackward<double>& a) {
  backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const SwigluBackward<Bf16>& a) {
  backward(a);
}

}  // namespace phalanx::kernels

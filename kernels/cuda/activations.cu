#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

// SwiGLU and GELU: a thread computes one element. The formulas are those of kernels/cpu.
namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
void run(const SwigluForward<T>& a) {
  for_each_element(a.rows, [a] __device__(std::int64_t row, std::int64_t i) {
    const T* gate = a.gate_up + 2 * row * a.rows.width;
    const Wide<T> g = wide(gate[i]), up = wide(gate[a.rows.width + i]);
    a.y[row * a.rows.width + i] = rounded<T>(g * up * sigmoid(g));
  });
}

template <class T>
void run(const SwigluBackward<T>& a) {
  for_each_element(a.rows, [a] __device__(std::int64_t row, std::int64_t i) {
    T *gate = a.gate_up + 2 * row * a.rows.width + i, *up = gate + a.rows.width;
    T* dy = a.dy + row * a.rows.width + i;
    const Wide<T> d = wide(*dy), g = wide(*gate), u = wide(*up), share = sigmoid(g);
    *dy = rounded<T>(g * u * share);
    *gate = rounded<T>(d * u * share * (Wide<T>(1) + g * (Wide<T>(1) - share)));
    *up = rounded<T>(d * g * share);
  });
}

template <class W>
__device__ W half_one_plus_tanh(W x) {
  return sigmoid(W(kGeluTwiceRoot) * x * (W(1) + W(kGeluCubic) * x * x));
}

template <class T>
void run(const GeluForward<T>& a) {
  for_each(a.count, [a] __device__(std::int64_t i) {
    const Wide<T> x = wide(a.x[i]);
    a.y[i] = rounded<T>(x * half_one_plus_tanh(x));
  });
}

template <class T>
void run(const GeluBackward<T>& a) {
  for_each(a.count, [a] __device__(std::int64_t i) {
    using W = Wide<T>;
    const W x = wide(a.x[i]), d = wide(a.dy[i]), share = half_one_plus_tanh(x);
    const W slope = W(kGeluTwiceRoot) * (W(1) + W(3 * kGeluCubic) * x * x);
    a.dy[i] = rounded<T>(x * share);
    a.x[i] = rounded<T>(d * share * (W(1) + x * (W(1) - share) * slope));
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(SwigluForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(SwigluBackward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(GeluForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(GeluBackward)

}  // namespace phalanx::kernels

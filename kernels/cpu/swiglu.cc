#include "kernels/swiglu.h"

#include <ATen/ops/empty_like.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void forward(const T* gate, const T* up, T* y, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gate[i], sigmoid = T(1) / (T(1) + exponential(-g));
    y[i] = g * up[i] * sigmoid;
  }
}

template <class T>
PHALANX_INLINE void backward(const T* dy, T* gate, T* up, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gate[i], sigmoid = T(1) / (T(1) + exponential(-g));
    gate[i] = dy[i] * up[i] * sigmoid * (T(1) + g * (T(1) - sigmoid));
    up[i] = dy[i] * g * sigmoid;
  }
}

PHALANX_VECTORIZED void run(const float* gate, const float* up, float* y, std::int64_t count) {
  forward(gate, up, y, count);
}
PHALANX_VECTORIZED void run(const double* gate, const double* up, double* y, std::int64_t count) {
  forward(gate, up, y, count);
}
PHALANX_VECTORIZED void run_backward(const float* dy, float* gate, float* up, std::int64_t count) {
  backward(dy, gate, up, count);
}
PHALANX_VECTORIZED void run_backward(const double* dy, double* gate, double* up,
                                     std::int64_t count) {
  backward(dy, gate, up, count);
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  check(gate.sizes() == up.sizes() && gate.is_contiguous() && up.is_contiguous(),
        "swiglu: gate and up must have one shape");
  auto y = at::empty_like(gate);
  for_element_type(gate, [&]<class T>(T) {
    run(gate.const_data_ptr<T>(), up.const_data_ptr<T>(), y.mutable_data_ptr<T>(), y.numel());
  });
  return y;
}

void swiglu_backward(const at::Tensor& dy, at::Tensor& gate, at::Tensor& up) {
  check(dy.sizes() == gate.sizes() && dy.is_contiguous(), "swiglu: dy must have the shape of y");
  for_element_type(gate, [&]<class T>(T) {
    run_backward(dy.const_data_ptr<T>(), gate.mutable_data_ptr<T>(), up.mutable_data_ptr<T>(),
                 gate.numel());
  });
}

}  // namespace phalanx::kernels

#include "kernels/swiglu.h"

#include <ATen/ops/empty.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

struct Rows {
  std::int64_t count, width;
};

template <class T>
PHALANX_INLINE void forward(const T* gate, T* y, Rows rows) {
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
PHALANX_INLINE void backward(T* dy, T* gate, Rows rows) {
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

PHALANX_VECTORIZED void run(const float* gate_up, float* y, Rows rows) {
  forward(gate_up, y, rows);
}
PHALANX_VECTORIZED void run(const double* gate_up, double* y, Rows rows) {
  forward(gate_up, y, rows);
}
PHALANX_VECTORIZED void run(const Bf16* gate_up, Bf16* y, Rows rows) { forward(gate_up, y, rows); }
PHALANX_VECTORIZED void run_backward(float* dy, float* gate_up, Rows rows) {
  backward(dy, gate_up, rows);
}
PHALANX_VECTORIZED void run_backward(double* dy, double* gate_up, Rows rows) {
  backward(dy, gate_up, rows);
}
PHALANX_VECTORIZED void run_backward(Bf16* dy, Bf16* gate_up, Rows rows) {
  backward(dy, gate_up, rows);
}

Rows rows_of(const at::Tensor& gate_up) {
  const std::int64_t width = gate_up.size(-1) / 2;
  check(gate_up.is_contiguous() && gate_up.size(-1) % 2 == 0,
        "swiglu: expected gate and up side by side, [..., 2 * width]");
  return {gate_up.numel() / (2 * width), width};
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) {
  const Rows rows = rows_of(gate_up);
  auto shape = gate_up.sizes().vec();
  shape.back() = rows.width;
  auto y = at::empty(shape, gate_up.options());
  for_activation_type(gate_up, [&]<class T>(T) {
    run(gate_up.const_data_ptr<T>(), y.mutable_data_ptr<T>(), rows);
  });
  return y;
}

void swiglu_backward(at::Tensor& dy, at::Tensor& gate_up) {
  const Rows rows = rows_of(gate_up);
  check(dy.is_contiguous() && dy.numel() == rows.count * rows.width,
        "swiglu: dy must have the shape of y");
  for_activation_type(gate_up, [&]<class T>(T) {
    run_backward(dy.mutable_data_ptr<T>(), gate_up.mutable_data_ptr<T>(), rows);
  });
}

}  // namespace phalanx::kernels

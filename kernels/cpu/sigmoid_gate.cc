#include "kernels/sigmoid_gate.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void forward(const T* x, const T* logits, T* y, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row, x += rows.width, y += rows.width) {
    const Wide<T> gate = Wide<T>(1) / (Wide<T>(1) + exponential(-wide(logits[row])));
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) y[i] = rounded<T>(wide(y[i]) + gate * wide(x[i]));
  }
}

template <class T>
PHALANX_INLINE void backward(const T* dy, T* x, T* logits, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row, x += rows.width, dy += rows.width) {
    const Wide<T> gate = Wide<T>(1) / (Wide<T>(1) + exponential(-wide(logits[row])));
    Wide<T> dot = 0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < rows.width; ++i) {
      dot += wide(dy[i]) * wide(x[i]);
      x[i] = rounded<T>(gate * wide(dy[i]));
    }
    logits[row] = rounded<T>(dot * gate * (Wide<T>(1) - gate));
  }
}

PHALANX_VECTORIZED void run(const float* x, const float* logits, float* y, Rows rows) {
  forward(x, logits, y, rows);
}
PHALANX_VECTORIZED void run(const double* x, const double* logits, double* y, Rows rows) {
  forward(x, logits, y, rows);
}
PHALANX_VECTORIZED void run(const Bf16* x, const Bf16* logits, Bf16* y, Rows rows) {
  forward(x, logits, y, rows);
}
PHALANX_VECTORIZED void run_backward(const float* dy, float* x, float* logits, Rows rows) {
  backward(dy, x, logits, rows);
}
PHALANX_VECTORIZED void run_backward(const double* dy, double* x, double* logits, Rows rows) {
  backward(dy, x, logits, rows);
}
PHALANX_VECTORIZED void run_backward(const Bf16* dy, Bf16* x, Bf16* logits, Rows rows) {
  backward(dy, x, logits, rows);
}

Rows checked_rows(const at::Tensor& x, const at::Tensor& logits, const at::Tensor& y) {
  const Rows rows = rows_of(x);
  check(x.is_contiguous() && y.is_contiguous() && logits.is_contiguous() &&
            x.numel() == y.numel() && logits.numel() == rows.count,
        "sigmoid gate: expected rows of one shape and a logit for each");
  return rows;
}

}  // namespace

void add_gated(const at::Tensor& x, const at::Tensor& logits, at::Tensor y) {
  const Rows rows = checked_rows(x, logits, y);
  for_activation_type(x, [&]<class T>(T) {
    run(x.const_data_ptr<T>(), logits.const_data_ptr<T>(), y.mutable_data_ptr<T>(), rows);
  });
}

void add_gated_backward(const at::Tensor& dy, at::Tensor& x, at::Tensor& logits) {
  const Rows rows = checked_rows(x, logits, dy);
  for_activation_type(x, [&]<class T>(T) {
    run_backward(dy.const_data_ptr<T>(), x.mutable_data_ptr<T>(), logits.mutable_data_ptr<T>(),
                 rows);
  });
}

}  // namespace phalanx::kernels

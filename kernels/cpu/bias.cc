#include "kernels/bias.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

struct Rows {
  std::int64_t count, width;
};

Rows rows_of(const at::Tensor& y, const at::Tensor& bias) {
  check(y.is_contiguous() && bias.is_contiguous() && y.size(-1) == bias.numel(),
        "bias: expected rows as long as the bias");
  return {y.numel() / y.size(-1), y.size(-1)};
}

template <class T>
PHALANX_INLINE void add(T* y, const Wide<T>* bias, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row, y += rows.width)
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) y[i] = rounded<T>(wide(y[i]) + bias[i]);
}

template <class T>
PHALANX_INLINE void sum(const T* dy, Wide<T>* dbias, Rows rows) {
  for (std::int64_t row = 0; row < rows.count; ++row, dy += rows.width)
#pragma omp simd
    for (std::int64_t i = 0; i < rows.width; ++i) dbias[i] += wide(dy[i]);
}

PHALANX_VECTORIZED void run(float* y, const float* bias, Rows rows) { add(y, bias, rows); }
PHALANX_VECTORIZED void run(double* y, const double* bias, Rows rows) { add(y, bias, rows); }
PHALANX_VECTORIZED void run(Bf16* y, const float* bias, Rows rows) { add(y, bias, rows); }
PHALANX_VECTORIZED void run_backward(const float* dy, float* dbias, Rows rows) {
  sum(dy, dbias, rows);
}
PHALANX_VECTORIZED void run_backward(const double* dy, double* dbias, Rows rows) {
  sum(dy, dbias, rows);
}
PHALANX_VECTORIZED void run_backward(const Bf16* dy, float* dbias, Rows rows) {
  sum(dy, dbias, rows);
}

}  // namespace

void add_bias(at::Tensor& y, const at::Tensor& bias) {
  const Rows rows = rows_of(y, bias);
  for_activation_type(y, [&]<class T>(T) {
    run(y.mutable_data_ptr<T>(), bias.const_data_ptr<Wide<T>>(), rows);
  });
}

void add_bias_backward(const at::Tensor& dy, at::Tensor dbias) {
  const Rows rows = rows_of(dy, dbias);
  for_activation_type(dy, [&]<class T>(T) {
    run_backward(dy.const_data_ptr<T>(), dbias.mutable_data_ptr<Wide<T>>(), rows);
  });
}

}  // namespace phalanx::kernels

#include "kernels/cuda/column_sum.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
void run(const RmsNormForward<T>& a) {
  for_each_block(a.rows.count, [a] __device__(std::int64_t row) {
    const T* x = a.x + row * a.rows.width;
    T* y = a.y + row * a.rows.width;
    const auto squares =
        block_sum<Wide<T>>(a.rows.width, [&](std::int64_t i) { return wide(x[i]) * wide(x[i]); });
    const Wide<T> scale =
        Wide<T>(1) / std::sqrt(squares / static_cast<Wide<T>>(a.rows.width) + a.epsilon);
    block_for_each(a.rows.width,
                   [&](std::int64_t i) { y[i] = rounded<T>(wide(x[i]) * scale * a.weight[i]); });
    if (threadIdx.x == 0) a.inverse_rms[row] = scale;
  });
}

// The formulas of kernels/cpu/rms_norm.cc; the weight's sums come first, because dy becomes y.
template <class T>
void run(const RmsNormBackward<T>& a) {
  add_column_sums(a.rows, a.dweight, [a] __device__(std::int64_t row, std::int64_t i) {
    const std::int64_t at = row * a.rows.width + i;
    return wide(a.dy[at]) * wide(a.x[at]) * a.inverse_rms[row];
  });
  for_each_block(a.rows.count, [a] __device__(std::int64_t row) {
    const std::int64_t at = row * a.rows.width;
    const T* x = a.x + at;
    T *dy = a.dy + at, *dx = a.dx + at;
    const Wide<T> scale = a.inverse_rms[row];
    const auto dot = block_sum<Wide<T>>(
        a.rows.width, [&](std::int64_t i) { return wide(dy[i]) * a.weight[i] * wide(x[i]); });
    const Wide<T> along = dot * scale * scale / static_cast<Wide<T>>(a.rows.width);
    block_for_each(a.rows.width, [&](std::int64_t i) {
      const Wide<T> d = wide(dy[i]), value = wide(x[i]);
      const Wide<T> around = a.residual == nullptr ? Wide<T>(0) : wide(a.residual[at + i]);
      dx[i] = rounded<T>(scale * (d * a.weight[i] - value * along) + around);
      dy[i] = rounded<T>(value * scale * a.weight[i]);
    });
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(RmsNormForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(RmsNormBackward)

}  // namespace phalanx::kernels

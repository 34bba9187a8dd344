#include "kernels/cuda/column_sum.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

// The variance in a pass of its own: the difference of two large sums would cancel.
template <class T>
void run(const LayerNormForward<T>& a) {
  for_each_block(a.rows.count, [a] __device__(std::int64_t row) {
    const T* x = a.x + row * a.rows.width;
    T* y = a.y + row * a.rows.width;
    const auto width = static_cast<Wide<T>>(a.rows.width);
    const Wide<T> mean =
        block_sum<Wide<T>>(a.rows.width, [&](std::int64_t i) { return wide(x[i]); }) / width;
    const auto squares = block_sum<Wide<T>>(
        a.rows.width, [&](std::int64_t i) { return (wide(x[i]) - mean) * (wide(x[i]) - mean); });
    const Wide<T> scale = Wide<T>(1) / std::sqrt(squares / width + a.epsilon);
    block_for_each(a.rows.width, [&](std::int64_t i) {
      y[i] = rounded<T>((wide(x[i]) - mean) * scale * a.weight[i] + a.bias[i]);
    });
    if (threadIdx.x > 0) return;
    a.mean[row] = mean;
    a.inverse_deviation[row] = scale;
  });
}

template <class T>
void add_weight_gradients(const LayerNormBackward<T>& a) {
  add_column_sums(a.rows, a.dweight, [a] __device__(std::int64_t row, std::int64_t i) {
    const std::int64_t at = row * a.rows.width + i;
    return wide(a.dy[at]) * (wide(a.x[at]) - a.mean[row]) * a.inverse_deviation[row];
  });
  add_column_sums(a.rows, a.dbias, [a] __device__(std::int64_t row, std::int64_t i) {
    return wide(a.dy[row * a.rows.width + i]);
  });
}

// The formulas of kernels/cpu/layer_norm.cc.
template <class T>
void run(const LayerNormBackward<T>& a) {
  add_weight_gradients(a);  // first, because dy becomes y
  for_each_block(a.rows.count, [a] __device__(std::int64_t row) {
    const std::int64_t at = row * a.rows.width;
    const T* x = a.x + at;
    T *dy = a.dy + at, *dx = a.dx + at;
    const Wide<T> scale = a.inverse_deviation[row], mean = a.mean[row];
    const auto width = static_cast<Wide<T>>(a.rows.width);
    const auto sum =
        block_sum<Wide<T>>(a.rows.width, [&](std::int64_t i) { return wide(dy[i]) * a.weight[i]; });
    const auto dot = block_sum<Wide<T>>(a.rows.width, [&](std::int64_t i) {
      return wide(dy[i]) * a.weight[i] * (wide(x[i]) - mean) * scale;
    });
    const Wide<T> shift = sum / width, along = dot / width;
    block_for_each(a.rows.width, [&](std::int64_t i) {
      const Wide<T> normed = (wide(x[i]) - mean) * scale;
      const Wide<T> around = a.residual == nullptr ? Wide<T>(0) : wide(a.residual[at + i]);
      dx[i] = rounded<T>(scale * (wide(dy[i]) * a.weight[i] - shift - normed * along) + around);
      dy[i] = rounded<T>(normed * a.weight[i] + a.bias[i]);
    });
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(LayerNormForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(LayerNormBackward)

}  // namespace phalanx::kernels

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
void run(const GateForward<T>& a) {
  for_each_element(a.rows, [a] __device__(std::int64_t row, std::int64_t i) {
    const std::int64_t at = row * a.rows.width + i;
    a.y[at] = rounded<T>(wide(a.y[at]) + sigmoid(wide(a.logits[row])) * wide(a.x[at]));
  });
}

template <class T>
void run(const GateBackward<T>& a) {
  for_each_block(a.rows.count, [a] __device__(std::int64_t row) {
    const T* dy = a.dy + row * a.rows.width;
    T* x = a.x + row * a.rows.width;
    const Wide<T> gate = sigmoid(wide(a.logits[row]));
    // Its barriers stand between the read of the logit and its gradient.
    const auto dot =
        block_sum<Wide<T>>(a.rows.width, [&](std::int64_t i) { return wide(dy[i]) * wide(x[i]); });
    block_for_each(a.rows.width, [&](std::int64_t i) { x[i] = rounded<T>(gate * wide(dy[i])); });
    if (threadIdx.x == 0) a.logits[row] = rounded<T>(dot * gate * (Wide<T>(1) - gate));
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(GateForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(GateBackward)

}  // namespace phalanx::kernels

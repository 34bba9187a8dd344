#include "kernels/cuda/column_sum.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
void run(const BiasForward<T>& a) {
  for_each_element(a.rows, [a] __device__(std::int64_t row, std::int64_t i) {
    T& y = a.y[row * a.rows.width + i];
    y = rounded<T>(wide(y) + a.bias[i]);
  });
}

template <class T>
void run(const BiasBackward<T>& a) {
  add_column_sums(a.rows, a.dbias, [a] __device__(std::int64_t row, std::int64_t i) {
    return wide(a.dy[row * a.rows.width + i]);
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(BiasForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(BiasBackward)

}  // namespace phalanx::kernels

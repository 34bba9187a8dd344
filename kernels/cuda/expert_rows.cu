#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

// How many threads before this one have `flag` set; `all` gets how many of the block have.
__device__ unsigned set_before(bool flag, unsigned& all) {
  __shared__ unsigned of_warp[kWarp];
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const unsigned flags = __ballot_sync(kAllLanes, flag);
  __syncthreads();  // of_warp may still be read for the flags before
  if (lane == 0) of_warp[warp] = static_cast<unsigned>(__popc(flags));
  __syncthreads();
  unsigned before = static_cast<unsigned>(__popc(flags & ((1u << lane) - 1)));
  all = 0;
  for (unsigned other = 0; other < blockDim.x / kWarp; ++other) {
    if (other < warp) before += of_warp[other];
    all += of_warp[other];
  }
  return before;
}

void count_rows(const OrderByExpert& a) {
  for_each_block(a.count, [a] __device__(std::int64_t expert) {
    const auto rows = block_sum<std::int64_t>(a.choices, [&](std::int64_t choice) {
      if (a.experts[choice] < 0 || a.experts[choice] >= a.count) __trap();
      return std::int64_t{a.experts[choice] == expert};
    });
    if (threadIdx.x == 0) a.rows_of_expert[expert] = rows;
  });
}

// A block finds the rows of one expert, going through the choices in their order.
void place_rows(const OrderByExpert& a) {
  for_each_block(a.count, [a] __device__(std::int64_t expert) {
    auto next = block_sum<std::int64_t>(
        expert, [&](std::int64_t before) { return a.rows_of_expert[before]; });
    for (std::int64_t first = 0; first < a.choices; first += blockDim.x) {
      const std::int64_t choice = first + threadIdx.x;
      const bool is_ours = choice < a.choices && a.experts[choice] == expert;
      unsigned all = 0;
      const std::int64_t row = next + set_before(is_ours, all);
      next += all;
      if (!is_ours) continue;
      a.row_of_choice[choice] = row;
      a.choice_of_row[row] = choice;
    }
  });
}

template <class T>
void run(const GatherRows<T>& a) {
  for_each_element(a.rows, [a] __device__(std::int64_t row, std::int64_t i) {
    a.to[row * a.rows.width + i] = a.from[a.index[row] / a.divisor * a.rows.width + i];
  });
}

template <class T>
void run(const AddRows<T>& a) {
  for_each_element(a.rows, [a] __device__(std::int64_t token, std::int64_t i) {
    T& y = a.y[token * a.rows.width + i];
    Wide<T> sum = wide(y);
    for (std::int64_t j = 0; j < a.chosen; ++j) {
      const std::int64_t choice = token * a.chosen + j;
      const Wide<T> weight = a.weights == nullptr ? Wide<T>(1) : a.weights[choice];
      sum += weight * wide(a.from[a.row_of_choice[choice] * a.rows.width + i]);
    }
    y = rounded<T>(sum);
  });
}

template <class T>
void run(const AddRowsBackward<T>& a) {
  for_each_block(a.rows.count, [a] __device__(std::int64_t row) {
    const std::int64_t choice = a.choice_of_row[row];
    const T* dy = a.dy + choice / a.chosen * a.rows.width;
    const T* from = a.from + row * a.rows.width;
    const auto dot = block_sum<Wide<T>>(a.rows.width, [&](std::int64_t i) {
      a.dfrom[row * a.rows.width + i] = rounded<T>(a.weights[choice] * wide(dy[i]));
      return wide(from[i]) * wide(dy[i]);
    });
    if (threadIdx.x == 0) a.dweights[choice] = dot;
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(GatherRows)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(AddRows)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(AddRowsBackward)

template <>
void perform<Cuda>(const OrderByExpert& a) {
  cuda::count_rows(a);
  cuda::place_rows(a);
}

}  // namespace phalanx::kernels

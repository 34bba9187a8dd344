#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/element.cuh"

// What the threads of a block do together. Sums have one order: lanes by halves, then the warps.
namespace phalanx::kernels::cuda {

constexpr unsigned kWarp = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFF;

struct Add {
  template <class W>
  __device__ W operator()(W a, W b) const {
    return a + b;
  }
};
struct Larger {  // b if it is larger
  template <class W>
  __device__ W operator()(W a, W b) const {
    return a > b ? a : b;
  }
};

// All lanes get it.
template <class W, class Combine>
__device__ W over_warp(W value, Combine combine) {
  for (unsigned half = kWarp / 2; half > 0; half /= 2)
    value = combine(value, __shfl_xor_sync(kAllLanes, value, static_cast<int>(half)));
  return value;
}

// All threads get it; the block's are whole warps.
template <class W, class Combine>
__device__ W over_block(W value, Combine combine) {
  __shared__ W of_warp[kWarp];
  value = over_warp(value, combine);
  __syncthreads();  // of_warp may still be read for the value before
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = of_warp[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) value = combine(value, of_warp[warp]);
  return value;
}

// Combines body(i) over all i below `count`; `none` is what no value comes to.
template <class W, class Combine, class Body>
__device__ W block_reduce(std::int64_t count, W none, Combine combine, const Body& body) {
  W value = none;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) value = combine(value, body(i));
  return over_block(value, combine);
}
template <class W, class Body>
__device__ W block_sum(std::int64_t count, const Body& body) {
  return block_reduce(count, W(0), Add{}, body);
}

// body(i) for all i below `count`, by the threads in turn.
template <class Body>
__device__ void block_for_each(std::int64_t count, const Body& body) {
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) body(i);
}

}  // namespace phalanx::kernels::cuda

#pragma once

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"

namespace phalanx::kernels::cuda {

// A block sums 32 columns; its warps take the rows in turn, and their sums are added in the order
// of the warps.
template <class W, class Value>
__global__ void column_sum(Rows rows, W* sums, Value value) {
  __shared__ W of_warp[kWarp][kWarp + 1];
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const unsigned warps = blockDim.x / kWarp;
  const std::int64_t column = std::int64_t{blockIdx.x} * kWarp + lane;
  W sum = 0;
  if (column < rows.width)
    for (std::int64_t row = warp; row < rows.count; row += warps) sum += value(row, column);
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || column >= rows.width) return;
  for (unsigned other = 1; other < warps; ++other) sum += of_warp[other][lane];
  sums[column] += sum;
}

// sums[column] += the sum of value(row, column) over all rows.
template <class W, class Value>
void add_column_sums(Rows rows, W* sums, const Value& value) {
  launch(column_sum<W, Value>, (rows.width + kWarp - 1) / kWarp, kWarp * kWarp, 0, rows, sums,
         value);
}

}  // namespace phalanx::kernels::cuda

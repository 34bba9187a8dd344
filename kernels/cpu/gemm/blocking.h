#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/gemm/micro_kernel.h"

namespace phalanx::kernels {

// The largest part of k, in units, that is taken at a time: its panel of b stays in the second
// level of cache while rows of a pass by.
constexpr std::int64_t kDepthBlock = 768;
// Rows of a that are taken at a time: their units of one depth block stay in the third level. b is
// packed again for each such block, so the rows of a usual micro-batch are one.
constexpr std::int64_t kRowBlock = 1536;
static_assert(kRowBlock % kTileRows == 0);

constexpr std::int64_t blocks_of(std::int64_t size, std::int64_t block) {
  return (size + block - 1) / block;
}

// The even division of k into depth blocks. It depends on k alone, and so does the order of sums.
struct DepthBlocks {
  std::int64_t units, count, size;

  explicit DepthBlocks(std::int64_t all_units)
      : units(all_units),
        count(std::max<std::int64_t>(1, blocks_of(units, kDepthBlock))),
        size(blocks_of(units, count)) {}
  std::int64_t first(std::int64_t index) const { return std::min(units, index * size); }
  std::int64_t depth(std::int64_t index) const { return first(index + 1) - first(index); }
};

}  // namespace phalanx::kernels

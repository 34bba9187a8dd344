#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "layout/region.h"

namespace phalanx::checkpoint {

// The box that two regions share; empty when they share no element, are of different tensors or of
// different rank.
std::optional<layout::Region> overlap(const layout::Region& a, const layout::Region& b);

// Copies the elements that `from` and `to` share; both row-major and dense. Result: their number.
std::int64_t copy_overlap(const layout::Region& from, std::span<const float> source,
                          const layout::Region& to, std::span<float> target);

}  // namespace phalanx::checkpoint

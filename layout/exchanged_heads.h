#pragma once

#include <algorithm>
#include <cstdint>

namespace phalanx::layout {

// In how many equal groups a rank exchanges heads for sequence (parallel/ulysses_attention.h),
// where `ranks` of them share `key_heads`: a group is whole key heads with their queries.
inline std::int64_t exchanged_head_groups(std::int64_t key_heads, std::int64_t ranks) {
  // Of n groups a part of 1 / n has nothing to hide behind; each costs the start of an exchange.
  constexpr std::int64_t kWorthHiding = 4;
  const auto own = std::max<std::int64_t>(1, key_heads / ranks);
  std::int64_t groups = std::min(own, kWorthHiding);
  while (own % groups != 0) --groups;
  return groups;
}

}  // namespace phalanx::layout

#include "comm/group_keys.h"

namespace phalanx::comm {

// FNV-1a.
std::uint64_t GroupKeys::next(const std::vector<int>& ranks) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto mix = [&](int value) {
    hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x100000001b3ull;
  };
  mix(made_[ranks]++);
  for (const int rank : ranks) mix(rank);
  return (hash << 2) | std::uint64_t{1} << 63;
}

}  // namespace phalanx::comm

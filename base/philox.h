#pragma once

#include <array>
#include <cstdint>

namespace phalanx {

// Philox4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3", SC'11): a pure function of a 64-bit key and a 128-bit counter, so that a number depends on
// what it is for and never on who asks.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

// Four numbers for element block `index` of (seed, site, step). `site` is stable_hash of a name.
std::array<std::uint32_t, 4> random_block(std::uint64_t seed, std::uint64_t site,
                                          std::uint32_t step, std::uint64_t index);

// A 64-bit hash of a name that never changes (FNV-1a).
constexpr std::uint64_t stable_hash(const char* text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (; *text != '\0'; ++text)
    hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001b3ull;
  return hash;
}

}  // namespace phalanx

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace phalanx::layout {

// Where blocks in an arena begin: multiples of it, in bytes.
constexpr std::int64_t kArenaAlignment = 64;

// A block of memory that is held from moment `begin` until moment `end`, which it does not include.
struct Lifetime {
  std::int64_t bytes = 0;
  std::int64_t begin = 0, end = 0;
};

// Places in one arena for blocks whose lifetimes are known beforehand.
struct ArenaPlan {
  std::vector<std::int64_t> offsets;  // bytes, by block
  std::int64_t bytes = 0;             // of the arena
};

// Blocks that are held at the same moment do not overlap. Greedy by size with best fit (Pisarchyk &
// Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020): not always the smallest
// arena, but the same for the same blocks.
ArenaPlan plan_arena(std::span<const Lifetime> blocks);

// The most bytes that are held at one moment, each block rounded up to kArenaAlignment: no plan has
// less.
std::int64_t peak_bytes(std::span<const Lifetime> blocks);

}  // namespace phalanx::layout

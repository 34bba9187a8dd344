#include "layout/arena_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace phalanx::layout {
namespace {

using Blocks = std::span<const Lifetime>;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

std::vector<std::size_t> indices(std::size_t count) {
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

// Calls visit(block, held) for every block in the order in which they begin; `held` are those that
// began before and have not ended.
template <class Visit>
void sweep(Blocks blocks, const Visit& visit) {
  auto order = indices(blocks.size());
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return blocks[i].begin; });
  std::vector<std::size_t> held;
  for (const std::size_t block : order) {
    check(blocks[block].bytes >= 0 && blocks[block].begin < blocks[block].end,
          "arena plan: a block has a size and is held for a while");
    std::erase_if(held,
                  [&](std::size_t other) { return blocks[other].end <= blocks[block].begin; });
    visit(block, held);
    held.push_back(block);
  }
}

// By block: all that are held together with it at some moment.
std::vector<std::vector<std::size_t>> neighbours_of(Blocks blocks) {
  std::vector<std::vector<std::size_t>> neighbours(blocks.size());
  sweep(blocks, [&](std::size_t block, const std::vector<std::size_t>& held) {
    for (const std::size_t other : held) {
      neighbours[block].push_back(other);
      neighbours[other].push_back(block);
    }
  });
  return neighbours;
}

struct Taken {
  std::int64_t begin, end;  // bytes of the arena
};

// Where `bytes` fit between what is taken: in the smallest gap, or behind everything.
std::int64_t best_fit(std::vector<Taken>& taken, std::int64_t bytes) {
  std::ranges::sort(taken, {}, &Taken::begin);
  std::int64_t free_from = 0, best = -1, smallest = std::numeric_limits<std::int64_t>::max();
  for (const auto& each : taken) {
    const std::int64_t gap = each.begin - free_from;
    if (gap >= bytes && gap < smallest) {
      best = free_from;
      smallest = gap;
    }
    free_from = std::max(free_from, each.end);
  }
  return best >= 0 ? best : free_from;
}

}  // namespace

ArenaPlan plan_arena(Blocks blocks) {
  const auto neighbours = neighbours_of(blocks);
  auto order = indices(blocks.size());
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return blocks[i].bytes; });
  ArenaPlan plan{std::vector<std::int64_t>(blocks.size(), -1)};
  std::vector<Taken> taken;
  for (const std::size_t block : order) {
    const std::int64_t bytes = aligned(blocks[block].bytes);
    taken.clear();
    for (const std::size_t other : neighbours[block])
      if (plan.offsets[other] >= 0)
        taken.push_back({plan.offsets[other], plan.offsets[other] + aligned(blocks[other].bytes)});
    plan.offsets[block] = best_fit(taken, bytes);
    plan.bytes = std::max(plan.bytes, plan.offsets[block] + bytes);
  }
  return plan;
}

std::int64_t peak_bytes(Blocks blocks) {
  std::int64_t peak = 0;
  sweep(blocks, [&](std::size_t block, const std::vector<std::size_t>& held) {
    std::int64_t now = aligned(blocks[block].bytes);
    for (const std::size_t other : held) now += aligned(blocks[other].bytes);
    peak = std::max(peak, now);
  });
  return peak;
}

}  // namespace phalanx::layout

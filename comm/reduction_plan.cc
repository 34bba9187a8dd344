#include "comm/reduction_plan.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "comm/combine.h"

namespace phalanx::comm {
namespace {

constexpr std::size_t kBlock = 4096;  // bytes of a temporary vector: all of them stay in L1

}  // namespace

ReductionPlan::ReductionPlan(Subtree tree, std::span<const Subtree> leaves)
    : leaves_(static_cast<int>(leaves.size())) {
  LeafAt leaf_at;
  for (int leaf = 0; leaf < leaves_; ++leaf)
    leaf_at[leaves[static_cast<std::size_t>(leaf)].begin] = leaf;
  plan(tree, leaves, leaf_at, 0);
}

ReductionPlan ReductionPlan::of_ranks(Subtree tree) {
  std::vector<Subtree> leaves;
  for (int rank = tree.begin; rank < tree.end; ++rank) leaves.push_back({rank, rank + 1});
  return {tree, leaves};
}

// Returns the operand that will hold the reduction of `tree`. A temporary per depth is enough: the
// left one waits while the right one is made.
int ReductionPlan::plan(Subtree tree, std::span<const Subtree> leaves, const LeafAt& leaf_at,
                        int depth) {
  const auto leaf = leaf_at.find(tree.begin);
  check(leaf != leaf_at.end(), "the leaves of a reduction do not cover its tree");
  if (leaves[static_cast<std::size_t>(leaf->second)] == tree) return leaf->second;
  check(tree.size() > 1, "the leaves of a reduction are not subtrees of its tree");
  const int left = plan({tree.begin, left_end(tree)}, leaves, leaf_at, depth);
  const int right = plan({left_end(tree), tree.end}, leaves, leaf_at, depth + 1);
  const int result = leaves_ + depth;
  temporaries_ = std::max(temporaries_, depth + 1);
  steps_.push_back({left, right, result});
  return result;
}

void ReductionPlan::run(Reduction reduction, Types types, std::span<const std::byte* const> leaves,
                        std::span<std::byte* const> results, std::size_t count) const {
  check(static_cast<int>(leaves.size()) == leaves_, "a reduction got another number of leaves");
  struct alignas(64) Temporary {
    std::byte bytes[kBlock];
  };
  std::array<Temporary, 32> temporaries;
  check(temporaries_ <= static_cast<int>(temporaries.size()), "a reduction of over 2^32 leaves");
  const ElementType between = accumulation_type(types.results);
  const std::size_t block = kBlock / element_size(between);
  const std::size_t leaf_size = element_size(types.leaves);
  const std::size_t result_size = element_size(types.results);
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t size = std::min(block, count - begin);
    const auto temporary = [&](int index) {
      return temporaries[static_cast<std::size_t>(index - leaves_)].bytes;
    };
    const auto operand = [&](int index) -> Operand {
      if (index >= leaves_) return {temporary(index), between};
      return {leaves[static_cast<std::size_t>(index)] + begin * leaf_size, types.leaves};
    };
    const auto result = [&](std::size_t index) -> std::byte* {
      return index < results.size() ? results[index] + begin * result_size : nullptr;
    };
    for (const Step& step : steps_)
      if (&step == &steps_.back())
        combine(reduction, operand(step.left), operand(step.right), {result(0), result(1)},
                types.results, size);
      else
        combine(reduction, operand(step.left), operand(step.right), {temporary(step.result)},
                between, size);
    if (steps_.empty()) convert(operand(0), result(0), types.results, size);
    for (std::size_t copy = steps_.empty() ? 1 : 2; copy < results.size(); ++copy)
      convert({result(0), types.results}, result(copy), types.results, size);
  }
}

}  // namespace phalanx::comm

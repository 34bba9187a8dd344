#include "comm/sum_tree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace phalanx::comm {
namespace {

constexpr std::size_t kBlock = 1024;  // elements of a temporary vector: all of them stay in L1

void collect(const std::vector<bool>& here, Subtree tree, std::vector<Subtree>& found) {
  const auto absent = [&](int rank) { return !here[static_cast<std::size_t>(rank)]; };
  bool any = false, all = true;
  for (int rank = tree.begin; rank < tree.end; ++rank) (absent(rank) ? all = false : any = true);
  if (!any) return;
  if (all) {
    found.push_back(tree);
    return;
  }
  collect(here, {tree.begin, left_end(tree)}, found);
  collect(here, {left_end(tree), tree.end}, found);
}

void add(const float* left, const float* right, float* sum, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] = left[i] + right[i];
}

}  // namespace

int left_end(Subtree tree) {
  const auto below = static_cast<unsigned>(tree.size() - 1);
  return tree.begin + static_cast<int>(std::bit_floor(below));
}

std::vector<Subtree> whole_subtrees(const std::vector<bool>& here) {
  std::vector<Subtree> found;
  if (!here.empty()) collect(here, {0, static_cast<int>(here.size())}, found);
  return found;
}

SumPlan::SumPlan(Subtree tree, std::span<const Subtree> leaves)
    : leaves_(static_cast<int>(leaves.size())) {
  plan(tree, leaves, 0);
}

// Returns the operand that will hold the sum of `tree`. A temporary per depth and side is enough:
// the left sum waits while the right one is made.
int SumPlan::plan(Subtree tree, std::span<const Subtree> leaves, int depth) {
  const auto leaf = std::find(leaves.begin(), leaves.end(), tree);
  if (leaf != leaves.end()) return static_cast<int>(leaf - leaves.begin());
  check(tree.size() > 1, "the leaves of a sum do not cover its tree");
  const int left = plan({tree.begin, left_end(tree)}, leaves, depth);
  const int right = plan({left_end(tree), tree.end}, leaves, depth + 1);
  const int sum = leaves_ + depth;
  temporaries_ = std::max(temporaries_, depth + 1);
  additions_.push_back({left, right, sum});
  return sum;
}

void SumPlan::run(std::span<const float* const> leaves, std::span<float* const> results,
                  std::size_t count) const {
  check(static_cast<int>(leaves.size()) == leaves_, "a sum got another number of leaves");
  std::array<std::array<float, kBlock>, 32> temporaries;
  check(temporaries_ <= static_cast<int>(temporaries.size()), "a sum of more than 2^32 leaves");
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = std::min(kBlock, count - begin);
    const auto operand = [&](int index) -> const float* {
      if (index < leaves_) return leaves[static_cast<std::size_t>(index)] + begin;
      return temporaries[static_cast<std::size_t>(index - leaves_)].data();
    };
    float* first = results[0] + begin;
    for (std::size_t i = 0; i < additions_.size(); ++i) {
      const auto [left, right, sum] = additions_[i];
      float* into = i + 1 == additions_.size()
                        ? first
                        : temporaries[static_cast<std::size_t>(sum - leaves_)].data();
      add(operand(left), operand(right), into, size);
    }
    if (additions_.empty() && operand(0) != first)
      std::memcpy(first, operand(0), size * sizeof(float));
    for (float* result : results.subspan(1))
      if (result + begin != first) std::memcpy(result + begin, first, size * sizeof(float));
  }
}

}  // namespace phalanx::comm

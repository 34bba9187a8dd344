#include "comm/sum_tree.h"

#include <gtest/gtest.h>

namespace phalanx::comm {
namespace {

TEST(SumTree, LeftSubtreeIsTheLargestPowerOfTwoBelow) {
  EXPECT_EQ(left_end({0, 2}), 1);
  EXPECT_EQ(left_end({0, 3}), 2);
  EXPECT_EQ(left_end({0, 4}), 2);
  EXPECT_EQ(left_end({0, 5}), 4);
  EXPECT_EQ(left_end({4, 7}), 6);
  EXPECT_EQ(left_end({0, 8}), 4);
}

TEST(SumTree, NodesSumOnlyWholeSubtrees) {
  using Trees = std::vector<Subtree>;
  EXPECT_EQ(whole_subtrees({true, true, true, true}), (Trees{{0, 4}}));
  EXPECT_EQ(whole_subtrees({true, true, true, false}), (Trees{{0, 2}, {2, 3}}));
  EXPECT_EQ(whole_subtrees({true, false, true, false}), (Trees{{0, 1}, {2, 3}}));
  EXPECT_EQ(whole_subtrees({false, true, true, true, true}), (Trees{{1, 2}, {2, 4}, {4, 5}}));
}

constexpr std::size_t kCount = 3000;
using Values = std::vector<float>;

Values values_of(int rank) {
  Values values;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto mixed = i * 7919 + static_cast<std::size_t>(rank) * 104729;
    values.push_back(1.0f / static_cast<float>(1 + mixed % 10007));
  }
  return values;
}

Values sum(Subtree tree, const std::vector<Subtree>& leaves, const std::vector<Values>& values) {
  std::vector<const float*> pointers;
  for (const auto& value : values) pointers.push_back(value.data());
  Values first(kCount), second(kCount);
  const std::vector<float*> results{first.data(), second.data()};
  SumPlan(tree, leaves).run(pointers, results, kCount);
  EXPECT_EQ(first, second);
  return first;
}

Values sum_of_ranks(Subtree tree) {
  std::vector<Subtree> leaves;
  std::vector<Values> values;
  for (int rank = tree.begin; rank < tree.end; ++rank) {
    leaves.push_back({rank, rank + 1});
    values.push_back(values_of(rank));
  }
  return sum(tree, leaves, values);
}

TEST(SumTree, AnyPlacementOnTwoNodesGivesTheSameBits) {
  const int ranks = 7;
  const Values expected = sum_of_ranks({0, ranks});
  for (unsigned mask = 0; mask < 1u << ranks; ++mask) {
    std::vector<Subtree> leaves;
    std::vector<Values> values;
    for (const unsigned node : {0u, 1u}) {
      std::vector<bool> here;
      for (int rank = 0; rank < ranks; ++rank) here.push_back(((mask >> rank) & 1) == node);
      for (const Subtree& tree : whole_subtrees(here)) {
        leaves.push_back(tree);
        values.push_back(sum_of_ranks(tree));
      }
    }
    ASSERT_EQ(sum({0, ranks}, leaves, values), expected) << mask;
  }
}

TEST(SumTree, AResultMayBeALeaf) {
  Values a{1, 2, 3}, b{10, 20, 30};
  const std::vector<const float*> leaves{a.data(), b.data()};
  const std::vector<float*> results{a.data(), b.data()};
  SumPlan({0, 2}, std::vector<Subtree>{{0, 1}, {1, 2}}).run(leaves, results, 3);
  EXPECT_EQ(a, (Values{11, 22, 33}));
  EXPECT_EQ(b, a);
}

}  // namespace
}  // namespace phalanx::comm

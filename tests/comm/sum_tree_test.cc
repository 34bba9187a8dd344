#include "comm/sum_tree.h"

#include <gtest/gtest.h>

namespace phalanx::comm {
namespace {

using Ranks = std::vector<int>;
using Trees = std::vector<Subtree>;

TEST(SumTree, LeftSubtreeIsTheLargestPowerOfTwoBelow) {
  EXPECT_EQ(left_end({0, 2}), 1);
  EXPECT_EQ(left_end({0, 3}), 2);
  EXPECT_EQ(left_end({0, 4}), 2);
  EXPECT_EQ(left_end({0, 5}), 4);
  EXPECT_EQ(left_end({4, 7}), 6);
  EXPECT_EQ(left_end({0, 8}), 4);
}

TEST(SumTree, NodesReduceOnlyWholeSubtrees) {
  EXPECT_EQ(whole_subtrees(Ranks{0, 1, 2, 3}, 4), (Trees{{0, 4}}));
  EXPECT_EQ(whole_subtrees(Ranks{0, 1, 2}, 4), (Trees{{0, 2}, {2, 3}}));
  EXPECT_EQ(whole_subtrees(Ranks{0, 2}, 4), (Trees{{0, 1}, {2, 3}}));
  EXPECT_EQ(whole_subtrees(Ranks{1, 2, 3, 4}, 5), (Trees{{1, 2}, {2, 4}, {4, 5}}));
  EXPECT_EQ(whole_subtrees(Ranks{}, 5), Trees{});
}

}  // namespace
}  // namespace phalanx::comm

#include "comm/binomial_tree.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace phalanx::comm {
namespace {

const int kSizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 100, 1023, 1024, 10'000};

TEST(BinomialTree, EveryRankHasItFromTheOneThatNamesItAChild) {
  for (const int size : kSizes) {
    std::set<int> reached{0};
    for (int rank = 0; rank < size; ++rank)
      for (const int child : binomial_children(rank, size)) {
        EXPECT_EQ(binomial_parent(child), rank) << size;
        EXPECT_TRUE(reached.insert(child).second) << "twice: " << child << " of " << size;
        EXPECT_LT(child, size);
      }
    EXPECT_EQ(reached.size(), static_cast<std::size_t>(size));
  }
  EXPECT_FALSE(binomial_parent(0));
}

TEST(BinomialTree, NoRankTalksToMoreThanTheLogarithmAndNoneIsFurtherAway) {
  for (const int size : kSizes) {
    const int bound = std::bit_width(static_cast<unsigned>(size - 1));
    for (int rank = 0; rank < size; ++rank) {
      EXPECT_LE(binomial_children(rank, size).size() + (rank > 0), std::max(bound, 1)) << rank;
      int hops = 0;
      for (auto at = binomial_parent(rank); at; at = binomial_parent(*at)) ++hops;
      EXPECT_LE(hops, bound) << rank << " of " << size;
    }
  }
}

TEST(BinomialTree, LargestSubtreesAreServedFirst) {
  EXPECT_EQ(binomial_children(0, 11), (std::vector{8, 4, 2, 1}));
  EXPECT_EQ(binomial_children(8, 11), (std::vector{10, 9}));
  EXPECT_EQ(binomial_children(4, 8), (std::vector{6, 5}));
}

}  // namespace
}  // namespace phalanx::comm

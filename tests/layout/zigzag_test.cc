#include "layout/zigzag.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace phalanx::layout {
namespace {

TEST(Zigzag, GivesEveryPositionToOneRankAndEachRankAnEarlyAndALatePiece) {
  for (const int ranks : {1, 2, 3, 4, 8}) {
    const std::int64_t length = 48;
    std::vector<std::int64_t> all;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto held = zigzag_positions(length, ranks, rank);
      EXPECT_EQ(std::ssize(held), length / ranks);
      EXPECT_EQ(held.front() + held.back(), length - 1);
      all.insert(all.end(), held.begin(), held.end());
    }
    std::ranges::sort(all);
    std::vector<std::int64_t> expected(static_cast<std::size_t>(length));
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all, expected) << ranks << " ranks";
  }
}

TEST(Zigzag, OfFourRanksIsTheTextbooks) {
  const std::vector<std::array<PositionRange, 2>> expected{{PositionRange{0, 3}, {21, 3}},
                                                           {PositionRange{3, 3}, {18, 3}},
                                                           {PositionRange{6, 3}, {15, 3}},
                                                           {PositionRange{9, 3}, {12, 3}}};
  for (int rank = 0; rank < 4; ++rank)
    EXPECT_EQ(zigzag_pieces(24, 4, rank), expected[static_cast<std::size_t>(rank)]);
}

TEST(Zigzag, OfOneRankIsTheWholeSequenceOfAnyLength) {
  EXPECT_EQ(zigzag_positions(5, 1, 0), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

// By positions: a pair is visible when its last query is not before its first key. Each is as much
// work as any other, half of it where both pieces are the same.
TEST(Zigzag, PairsAreThoseThatCausalityLeavesAndTheSameWorkForEveryRankInEveryStep) {
  for (const int ranks : {2, 3, 8})
    for (int query = 0; query < ranks; ++query)
      for (int key = 0; key < ranks; ++key) {
        const auto queries = zigzag_pieces(4 * ranks, ranks, query);
        const auto keys = zigzag_pieces(4 * ranks, ranks, key);
        std::vector<PiecePair> expected;
        int halves = 0;
        for (const auto q : {Piece::kEarly, Piece::kLate})
          for (const auto k : {Piece::kEarly, Piece::kLate}) {
            const PositionRange a = queries[static_cast<std::size_t>(q)];
            const PositionRange b = keys[static_cast<std::size_t>(k)];
            if (a.first + a.length - 1 < b.first) continue;
            expected.push_back({q, k});
            halves += a == b ? 1 : 2;
          }
        EXPECT_EQ(visible_pairs(query, key), expected) << query << " of " << key;
        EXPECT_EQ(halves, 4);
      }
}

}  // namespace
}  // namespace phalanx::layout

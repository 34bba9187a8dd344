#include "comm/native/placement.h"

#include <gtest/gtest.h>

namespace phalanx::comm {
namespace {

TEST(Placement, FindsNodesLanesAndOurPlace) {
  const Placement placement = place({7, 3, 7, 7, 3}, 3);
  EXPECT_EQ(placement.nodes, (std::vector<std::vector<int>>{{0, 2, 3}, {1, 4}}));
  EXPECT_EQ(placement.node, 0);
  EXPECT_EQ(placement.local, 2);
  EXPECT_EQ(placement.lanes(), 2);
  EXPECT_FALSE(placement.one_node());
}

TEST(Placement, PiecesCoverARangeOnceInOrder) {
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 100u, 1000u})
    for (const int pieces : {1, 2, 3, 7}) {
      std::size_t end = 5;
      for (int index = 0; index < pieces; ++index) {
        const Range part = piece({5, 5 + size}, index, pieces);
        EXPECT_EQ(part.begin, end);
        EXPECT_LE(part.begin, part.end);
        end = part.end;
      }
      EXPECT_EQ(end, 5 + size);
    }
}

}  // namespace
}  // namespace phalanx::comm

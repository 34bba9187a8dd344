#include "protocol/span_ring.h"

#include <gtest/gtest.h>

namespace phalanx::protocol {
namespace {

TEST(SpanRing, GivesTheSpansOfTheStepsAskedFor) {
  SpanRing ring(10);
  for (std::int64_t step = 1; step <= 5; ++step) ring.add({step, step * 10, step * 10 + 1, {}});
  const auto content = ring.of_steps(2, 3);
  ASSERT_EQ(content.spans.size(), 2u);
  EXPECT_EQ(content.spans[0].step, 2);
  EXPECT_EQ(content.spans[1].begin, 30);
  EXPECT_EQ(content.dropped, 0);
}

TEST(SpanRing, KeepsTheNewestAndCountsTheOthers) {
  SpanRing ring(3);
  for (std::int64_t i = 0; i < 8; ++i) ring.add({1, i, i, {}});
  const auto content = ring.of_steps(1, 1);
  ASSERT_EQ(content.spans.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(content.spans[i].begin, static_cast<int>(i) + 5);
  EXPECT_EQ(content.dropped, 5);
  ring.clear();
  EXPECT_TRUE(ring.of_steps(0, 9).spans.empty());
  EXPECT_EQ(ring.of_steps(0, 9).dropped, 0);
}

}  // namespace
}  // namespace phalanx::protocol

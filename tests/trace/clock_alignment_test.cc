#include "launcher/trace/clock_alignment.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/trace/traced_ranks.h"

namespace phalanx::trace {
namespace {

using protocol::RankTrace;

constexpr std::int64_t kMicrosecond = 1000, kSecond = 1'000'000'000;

// Two hosts with two ranks each, whose steady clocks are `skew` apart, meet in collectives: ranks
// enter at any time, and leave a few microseconds after all have entered. The second host's time of
// day is a second wrong.
std::vector<RankTrace> two_hosts(const std::string& operation, std::int64_t skew, int collectives,
                                 unsigned seed = 1) {
  std::vector<RankTrace> traces = {traced_rank(0, 0, "a", 100 * kSecond), traced_rank(1, 0, "a"),
                                   traced_rank(2, 1, "b", 101 * kSecond - skew),
                                   traced_rank(3, 1, "b", 101 * kSecond - skew)};
  std::mt19937 random(seed);
  const auto below = [&](std::int64_t limit) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
  };
  std::int64_t now = 5 * kSecond;
  for (int sequence = 1; sequence <= collectives; ++sequence) {
    std::vector<std::int64_t> entries;
    for (int rank = 0; rank < 4; ++rank) entries.push_back(now + below(500) * kMicrosecond);
    const std::int64_t all_there = *std::max_element(entries.begin(), entries.end());
    for (std::size_t rank = 0; rank < 4; ++rank) {
      const std::int64_t exit = all_there + (5 + below(40)) * kMicrosecond;
      const std::int64_t shift = rank < 2 ? 0 : skew;
      add_operation(traces[rank], operation, static_cast<std::uint64_t>(sequence),
                    entries[rank] + shift, exit + shift);
      now = std::max(now, exit);
    }
  }
  return traces;
}

TEST(ClockAlignment, BringsHostsTogetherByTheCollectivesThatAllAwait) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::int64_t skew = (seed - std::int64_t{10}) * 360 * kSecond;
    const auto clocks = align_clocks(two_hosts("all_reduce", skew, 50, seed));
    ASSERT_EQ(clocks.size(), 2u);
    EXPECT_EQ(clocks.at("a").offset, 100 * kSecond) << "the first rank's time of day";
    EXPECT_EQ(clocks.at("a").uncertainty, 0);
    const auto error = std::abs(clocks.at("b").offset - (100 * kSecond - skew));
    EXPECT_LE(error, clocks.at("b").uncertainty);
    EXPECT_LE(clocks.at("b").uncertainty, 30 * kMicrosecond) << "the time of day is a second off";
    EXPECT_FALSE(clocks.at("b").by_time_of_day);
  }
}

TEST(ClockAlignment, GetsBetterWithMoreCollectives) {
  const auto few = align_clocks(two_hosts("barrier", kSecond, 1)).at("b").uncertainty;
  const auto many = align_clocks(two_hosts("barrier", kSecond, 100)).at("b").uncertainty;
  EXPECT_LT(many, few);
}

TEST(ClockAlignment, TakesTheTimeOfDayWhereNoCollectiveAwaitsAllRanks) {
  const auto clocks = align_clocks(two_hosts("broadcast", 7 * kSecond, 50));
  EXPECT_TRUE(clocks.at("b").by_time_of_day);
  EXPECT_EQ(clocks.at("b").offset, 101 * kSecond - 7 * kSecond);
}

}  // namespace
}  // namespace phalanx::trace

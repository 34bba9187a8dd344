#include "kernels/peak.h"

#include <gtest/gtest.h>

namespace phalanx::kernels {
namespace {

// With ones every operation adds one, exactly: the total counts them.
TEST(Peak, EveryLoopThatRunsHereDoesTheOperationsThatItCounts) {
  for (const auto type : {c10::ScalarType::Float, c10::ScalarType::BFloat16})
    for (const PeakLoop& loop : peak_loops(type)) {
      if (!loop.runs_here()) continue;
      constexpr std::int64_t kRounds = 1000;
      const double starts = loop.lanes * loop.sums * (loop.sums + 1) / 2.0;
      EXPECT_EQ(loop.run(0, 1, 1), starts) << loop.name;
      EXPECT_EQ(loop.run(kRounds, 1, 1) - starts, kRounds * loop.flops_per_round / 2) << loop.name;
      EXPECT_NE(loop.run(kRounds, 0.5F, 1), loop.run(kRounds, 1, 1)) << loop.name;
    }
}

TEST(Peak, IsOfTheLoopThatTheProcessorRunsFastest) {
  for (const auto type : {c10::ScalarType::Float, c10::ScalarType::BFloat16})
    EXPECT_TRUE(peak_loops(type).back().runs_here());
  EXPECT_GT(peak_flops_per_second(c10::ScalarType::Float), 1e8);
  const bool has_pairs = peak_loops(c10::ScalarType::BFloat16).front().runs_here();
  const double ratio = peak_flops_per_second(c10::ScalarType::BFloat16) /
                       peak_flops_per_second(c10::ScalarType::Float);
  EXPECT_GT(ratio, has_pairs ? 1.2 : 0.5);
}

}  // namespace
}  // namespace phalanx::kernels

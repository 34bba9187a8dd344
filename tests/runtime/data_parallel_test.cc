#include <gtest/gtest.h>

#include <cmath>

#include "runtime/agree.h"
#include "tests/runtime/allocation_count.h"
#include "tests/runtime/small_job.h"

namespace phalanx::runtime {
namespace {

class DataParallel : public SmallJob {
 protected:
  Curve curve_on(int ranks) {
    job_.launch.ranks_per_node = ranks;
    return curve();
  }
};

// Seven samples over 2, 3 and 4 ranks in micro-batches of 2: no rank has as many as another. Nine
// ranks: two have none.
TEST_F(DataParallel, GivesEveryGradientOfOneRankForAnyNumberOfRanks) {
  const auto expected = first_gradients();
  for (const int ranks : {2, 3, 4, 9}) {
    job_.launch.ranks_per_node = ranks;
    const auto found = first_gradients();
    for (const auto& [name, gradient] : expected)
      EXPECT_LE(relative_error(found.at(name), gradient), 1e-6) << name << " on " << ranks;
  }
}

TEST_F(DataParallel, InBf16RepeatsBitForBitAndFollowsTheLossesOfFp32) {
  const auto exact = curve_on(1).losses;
  job_.train.precision = "bf16";
  const auto rounded = curve_on(3).losses;
  EXPECT_EQ(rounded, curve_on(3).losses);
  ASSERT_EQ(rounded.size(), exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(rounded[i] / exact[i], 1, 5e-3);
  EXPECT_NE(rounded, exact);
}

TEST_F(DataParallel, WithGradientsInBf16OnTheWireFollowsTheLossesOfFp32) {
  const auto exact = curve_on(3).losses;
  job_.parallel.gradient_wire = "bf16";
  for (const int zero_stage : {0, 1, 2}) {
    job_.parallel.zero_stage = zero_stage;
    const auto rounded = curve_on(3).losses;
    EXPECT_EQ(rounded, curve_on(3).losses);
    EXPECT_EQ(rounded.front(), exact.front());  // only what follows the first update can differ
    for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(rounded[i] / exact[i], 1, 5e-3);
    EXPECT_NE(rounded, exact);
  }
}

TEST_F(DataParallel, RepeatsALossCurveBitForBit) {
  const auto once = curve_on(3);
  EXPECT_EQ(once, curve_on(3));
  EXPECT_LT(once.losses.back(), once.losses.front());
}

// What a tensor still asks of the system are its small heads: shape, storage, reference counts.
TEST_F(DataParallel, TakesNoMemoryForTensorsFromTheSystemFromTheSecondStepOn) {
  parallel::count_tensor_memory();
  job_.train.global_batch = 10;
  struct Layout {
    int ranks, pipeline, zero_stage;
  };
  for (const auto& layout : {Layout{2, 1, 0}, Layout{2, 2, 0}, Layout{2, 1, 3}}) {
    job_.launch.ranks_per_node = layout.ranks;
    job_.parallel.pipeline = layout.pipeline;
    job_.parallel.zero_stage = layout.zero_stage;
    on_ranks([&](Rank& self) {
      self.stepper.run({});
      const auto first = self.stepper.arena().counts();
      const auto bytes = self.stepper.arena().bytes();
      EXPECT_GT(first.blocks, 3 * 2 * 10) << "three micro-batches of two layers";
      EXPECT_EQ(first.unplanned, first.blocks);
      for (int step = 2; step <= 5; ++step) {
        take_allocations();
        self.stepper.run({});
        const auto others = take_allocations();
        EXPECT_EQ(self.stepper.arena().counts().unplanned, 0) << "step " << step;
        EXPECT_EQ(self.stepper.arena().counts().blocks, first.blocks);
        EXPECT_EQ(self.stepper.arena().bytes(), bytes);
        EXPECT_LT(others.largest, 16384U);  // lists that grow now and then
        EXPECT_LT(others.count, 12 * first.blocks);
      }
    });
  }
}

TEST_F(DataParallel, SumsDoublesWithAllTheirDigits) {
  job_.launch.ranks_per_node = 3;
  on_ranks([&](Rank& self) {
    const double mine[] = {1.0 / 3, 1e15 + self.rank, self.rank == 1 ? NAN : 0.0};
    const auto sums = sum_over(*self.groups.world, mine);
    EXPECT_EQ(sums[0], 1.0 / 3 + 1.0 / 3 + 1.0 / 3);
    EXPECT_EQ(sums[1], 3e15 + 3);
    EXPECT_TRUE(std::isnan(sums[2]));
  });
}

}  // namespace
}  // namespace phalanx::runtime

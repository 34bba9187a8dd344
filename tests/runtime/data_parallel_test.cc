#include <ATen/Functions.h>
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

  // A mixture of 6 experts with everything that balances them.
  void use_experts(const std::string& preset) {
    job_.model.preset = preset;
    job_.model.experts = 6;
    job_.model.experts_per_token = 2;
    if (preset == "qwen_moe") job_.model.expert_width = 24;
    job_.model.router = {"preset", 0.05, 0.01};
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

TEST_F(DataParallel, TrainsMixturesOfExpertsAlikeOnAnyNumberOfRanks) {
  for (const auto* preset : {"mixtral", "qwen_moe"}) {
    use_experts(preset);
    job_.train.steps = 6;
    const auto once = curve_on(1).losses, apart = curve_on(3).losses;
    EXPECT_EQ(apart, curve_on(3).losses);
    EXPECT_LT(once.back(), once.front());
    for (std::size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(apart[i] / once[i], 1, 1e-3);
  }
}

// Counts of all ranks, taken out of what the optimizer and the norm see.
TEST_F(DataParallel, CountsTheTokensOfEveryExpertAndMovesBiasesByTheSignOfTheLoad) {
  use_experts("mixtral");
  for (const int ranks : {1, 3}) {
    job_.launch.ranks_per_node = ranks;
    on_ranks([&](Rank& self) {
      const auto outcome = self.stepper.run({});
      const double tokens = static_cast<double>(job_.train.global_batch) * 24, mean = tokens / 3;
      double busiest = 0;  // sum over the layers
      for (std::size_t part = 0; part < self.state.parts().size(); ++part) {
        const auto& [bucket, index, begin, values, first, second] = self.state.parts()[part];
        for (std::size_t t = 0; t < bucket.tensors.size(); ++t) {
          if (!bucket.tensors[t].counts_load) continue;
          const auto& load = self.stepper.experts().load().at(bucket.tensors[t].name);
          EXPECT_EQ(load.sum().item<double>(), 2 * tokens);
          busiest += load.max().item<double>() / mean;
          const auto at = [&](const at::Tensor& flat) {
            return flat.narrow(0, bucket.flat.offsets[t], 6);
          };
          EXPECT_TRUE(at::allclose(at(values).to(at::kDouble), load.sub(mean).sign().mul(-0.01)));
          EXPECT_FALSE(at(self.stepper.gradients().reduced(part)).any().item<bool>());
          EXPECT_FALSE(at(first).any().item<bool>());
        }
      }
      const auto layers = static_cast<double>(job_.model.layers);
      EXPECT_DOUBLE_EQ(outcome.busiest_expert, busiest / layers);
      // Of an even load it would be the factor, times the experts of a token, in every layer.
      EXPECT_NEAR(outcome.balance_loss, 0.05 * 2 * layers, 0.05 * layers);
    });
  }
}

// What a tensor still asks of the system are its small heads: shape, storage, reference counts; and
// with several ranks lists of what is under way grow now and then.
TEST_F(DataParallel, TakesNoMemoryForTensorsFromTheSystemFromTheSecondStepOn) {
  parallel::count_tensor_memory();
  job_.train.global_batch = 10;
  struct Layout {
    int ranks, pipeline, zero_stage;
    const char* precision = "fp32";
  };
  for (const auto& layout :
       {Layout{2, 1, 0}, Layout{2, 2, 0}, Layout{2, 1, 3}, Layout{2, 1, 0, "bf16"}}) {
    job_.train.precision = layout.precision;
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
        EXPECT_LT(others.largest, 16384U);
        EXPECT_LT(others.count, 12 * first.blocks);
      }
    });
  }
}

TEST_F(DataParallel, SumsDoublesWithAllTheirDigits) {
  job_.launch.ranks_per_node = 3;
  on_ranks([&](Rank& self) {
    const double mine[] = {1.0 / 3, 1e15 + self.rank, self.rank == 1 ? NAN : 0.0};
    const auto sums = sum_over(*self.groups.world, mine, at::kCPU);
    EXPECT_EQ(sums[0], 1.0 / 3 + 1.0 / 3 + 1.0 / 3);
    EXPECT_EQ(sums[1], 3e15 + 3);
    EXPECT_TRUE(std::isnan(sums[2]));
  });
}

}  // namespace
}  // namespace phalanx::runtime

// What the planner says that a rank sends in a step is what its groups are given to send, to the
// byte: on a ring, which is how planner/traffic.h counts. The load of experts is set by their
// router's bias.
#include <gtest/gtest.h>

#include <memory>

#include "tests/runtime/chosen_experts.h"
#include "tests/runtime/planned_layout.h"
#include "tests/runtime/watched_group.h"

namespace phalanx::runtime {
namespace {

class PlannedTraffic : public SmallJob, public testing::WithParamInterface<PlannedLayout> {
 protected:
  PlannedTraffic() {
    // The last micro-batch is smaller.
    job_.train.global_batch = 12;
    job_.train.micro_batch = 4;
    job_ = GetParam().of(job_);
    interference_.groups = [this](int rank, MeshGroups& groups) {
      auto watch = std::make_unique<Watch>(rank, nullptr);
      watch->wrap(groups);
      watches_[static_cast<std::size_t>(rank)] = std::move(watch);
    };
    watches_.resize(static_cast<std::size_t>(job_.ranks()));
  }

  // By a step in which the weights have changed before, as they have in all but the first.
  std::map<WatchedAxis, double> sent_in_a_step(Rank& self,
                                               const std::vector<std::int64_t>& experts) const {
    const auto& watch = *watches_[static_cast<std::size_t>(self.rank)];
    choose_experts(self, experts);
    self.stepper.run({});
    auto before = watch.sent();
    choose_experts(self, experts);
    self.stepper.run({});
    auto sent = watch.sent();
    for (auto& [axis, bytes] : sent) bytes -= before[axis];
    return sent;
  }

  std::vector<std::unique_ptr<Watch>> watches_;  // by rank
};

TEST_P(PlannedTraffic, IsWhatTheGroupsOfARankAreGivenToSend) {
  const auto plan = planner::plan(job_);
  on_ranks([&](Rank& self) {
    // Of two ranks each has one of the two that each token chooses.
    auto sent = sent_in_a_step(self, {0, 2});
    const auto& planned = class_of(plan, self.rank).sent;
    EXPECT_EQ(sent[WatchedAxis::kTensor], planned.tensor) << "rank " << self.rank;
    EXPECT_EQ(sent[WatchedAxis::kContext], planned.context) << "rank " << self.rank;
    EXPECT_EQ(sent[WatchedAxis::kExpert], planned.expert) << "rank " << self.rank;
    EXPECT_EQ(sent[WatchedAxis::kPipeline], planned.pipeline) << "rank " << self.rank;
    EXPECT_EQ(sent[WatchedAxis::kReplicas], planned.data) << "rank " << self.rank;
  });
}

class PlannedTrafficOfExperts : public PlannedTraffic {};

TEST_P(PlannedTrafficOfExperts, IsTheMostOfARankWhoseExpertsAllTokensChoose) {
  const auto plan = planner::plan(job_);
  on_ranks([&](Rank& self) {
    auto sent = sent_in_a_step(self, {0, 1});  // the first expert rank has both
    const auto& planned = class_of(plan, self.rank).sent;
    const double counts = planned.expert_most - sent[WatchedAxis::kExpert];
    if (self.state.coordinates().expert == 0) {
      EXPECT_EQ(counts, 0) << "rank " << self.rank;
    }
    EXPECT_GE(counts, 0) << "rank " << self.rank;
  });
}

INSTANTIATE_TEST_SUITE_P(
    Small, PlannedTraffic,
    testing::Values(
        PlannedLayout{.data = 3}, PlannedLayout{.tensor = 2}, PlannedLayout{.tensor = 4},
        PlannedLayout{.pipeline = 2, .precision = "bf16"},
        PlannedLayout{.data = 2, .zero_stage = 1, .precision = "bf16", .wire = "bf16"},
        PlannedLayout{.data = 2, .zero_stage = 2, .precision = "fp64"},
        PlannedLayout{.data = 2, .zero_stage = 3, .precision = "bf16"},
        PlannedLayout{.tensor = 2, .recompute = {"selective"}},
        PlannedLayout{.data = 2, .tensor = 2, .recompute = {"full"}},
        PlannedLayout{.preset = "gpt2", .context = 3},
        PlannedLayout{.precision = "bf16", .recompute = {"selective"}, .context = 3},
        PlannedLayout{.tensor = 2, .context = 2, .exchange = "ulysses"},
        PlannedLayout{
            .precision = "bf16", .recompute = {"full"}, .context = 4, .exchange = "ulysses"},
        PlannedLayout{.data = 2, .tensor = 2, .pipeline = 2, .zero_stage = 3, .preset = "gpt2"},
        PlannedLayout{.data = 2,
                      .pipeline = 2,
                      .zero_stage = 2,
                      .schedule = "zb_v",
                      .virtual_stages = 2,
                      .recompute = {"full"}},
        PlannedLayout{.data = 2,
                      .pipeline = 2,
                      .zero_stage = 3,
                      .schedule = "dualpipe_v",
                      .virtual_stages = 2},
        PlannedLayout{.pipeline = 3, .schedule = "interleaved_1f1b", .virtual_stages = 2},
        PlannedLayout{.tensor = 2, .pipeline = 2, .recompute = {"selective", "full"}},
        PlannedLayout{.data = 2, .preset = "mixtral", .expert = 2},
        PlannedLayout{.data = 2,
                      .zero_stage = 1,
                      .precision = "bf16",
                      .preset = "qwen_moe",
                      .recompute = {"full"},
                      .expert = 2},
        PlannedLayout{.tensor = 2, .preset = "mixtral", .expert = 2, .context = 2, .length = 256},
        PlannedLayout{.data = 2,
                      .pipeline = 2,
                      .zero_stage = 3,
                      .preset = "qwen_moe",
                      .recompute = {"selective"},
                      .expert = 2}));

INSTANTIATE_TEST_SUITE_P(
    Small, PlannedTrafficOfExperts,
    testing::Values(PlannedLayout{.data = 2, .preset = "mixtral", .expert = 2},
                    PlannedLayout{
                        .tensor = 2, .preset = "mixtral", .expert = 2, .context = 2, .length = 256},
                    PlannedLayout{.data = 2,
                                  .pipeline = 2,
                                  .zero_stage = 3,
                                  .preset = "qwen_moe",
                                  .recompute = {"full", "selective"},
                                  .expert = 2}));

}  // namespace
}  // namespace phalanx::runtime

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/job_folder.h"

namespace phalanx::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

auto broken(const std::string& path, const std::string& message, const std::string& help) {
  return AllOf(Field(&ConfigProblem::path, path),
               Field(&ConfigProblem::message, HasSubstr(message)),
               Field(&ConfigProblem::help, HasSubstr(help)));
}

TEST(Rules, HoldBetweenTheSizesOfAModel) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems(kSmallest, {"model.width=254"}),
              ElementsAre(broken("model.width", "expected a multiple of model.heads = 4, found 254",
                                 "252 or 256")));
  EXPECT_THAT(
      folder.problems(kSmallest, {"model.width=252"}),
      ElementsAre(broken("model.width", "expected an even width per head, found 252 / 4 heads = 63",
                         "248 or 256")));
  EXPECT_THAT(folder.problems(kSmallest, {"model.kv_heads=3"}),
              ElementsAre(broken("model.kv_heads", "expected a divisor of model.heads = 4, found 3",
                                 "1, 2 or 4")));
  EXPECT_THAT(folder.problems(kSmallest, {"model.kv_heads=4", "model.width=8"}), IsEmpty());
}

TEST(Rules, RefuseWhatThePresetGpt2CannotHeed) {
  const JobFolder folder;
  EXPECT_THAT(
      folder.problems(kSmallest, {"model.preset=gpt2", "model.kv_heads=2"}),
      ElementsAre(broken("model.kv_heads", "expected model.heads = 4 with the preset gpt2, found 2",
                         "preset: llama")));
  EXPECT_THAT(folder.problems(kSmallest,
                              {"model.preset=gpt2", "model.kv_heads=4", "model.rope_theta=500000"}),
              ElementsAre(broken("model.rope_theta", "expected none with the preset gpt2",
                                 "leave the key out")));
  EXPECT_THAT(
      folder.problems(kSmallest, {"model.preset=gpt2", "model.kv_heads=4", "model.width=252"}),
      IsEmpty());
}

TEST(Rules, AskOfExpertsWhatThePresetNeeds) {
  const JobFolder folder;
  const std::vector<std::string> mixtral{"model.preset=mixtral", "model.experts=8",
                                         "model.experts_per_token=2"};
  EXPECT_THAT(folder.problems(kSmallest, mixtral), IsEmpty());
  EXPECT_THAT(
      folder.problems(kSmallest, {"model.preset=mixtral"}),
      ElementsAre(broken("model.experts", "expected at least 1 with the preset mixtral, found 0",
                         "how many experts")));
  EXPECT_THAT(folder.problems(kSmallest, {mixtral[0], mixtral[1], "model.experts_per_token=9"}),
              ElementsAre(broken("model.experts_per_token",
                                 "expected 1 to model.experts = 8, found 9", "each token")));
  EXPECT_THAT(
      folder.problems(kSmallest, {mixtral[0], mixtral[1], mixtral[2], "model.expert_width=9"}),
      ElementsAre(broken("model.expert_width", "expected none with the preset mixtral",
                         "model.ffn_width is the width of its experts")));
  EXPECT_THAT(folder.problems(kSmallest, {"model.preset=qwen_moe", mixtral[1], mixtral[2]}),
              ElementsAre(broken("model.expert_width", "expected at least 1", "shared one")));
  EXPECT_THAT(folder.problems(kSmallest, {mixtral[0], mixtral[1], mixtral[2], "model.width=252"}),
              ElementsAre(broken("model.width", "expected an even width per head", "")));
}

TEST(Rules, RefuseTheKeysOfExpertsWhereThereAreNone) {
  const JobFolder folder;
  for (const auto* key : {"experts", "experts_per_token", "expert_width"})
    EXPECT_THAT(folder.problems(kSmallest, {std::string("model.") + key + "=4"}),
                ElementsAre(broken(std::string("model.") + key,
                                   "expected none with the preset llama, which has no experts",
                                   "`preset: mixtral`")));
  EXPECT_THAT(folder.problems(kSmallest, {"model.router.balance_loss=0.1"}),
              ElementsAre(broken("model.router", "which has no experts", "leave the key out")));
}

TEST(Rules, HoldBetweenBatchesStepsAndLearningRates) {
  const JobFolder folder;
  EXPECT_THAT(folder.problems(kSmallest, {"train.micro_batch=17"}),
              ElementsAre(broken("train.micro_batch",
                                 "expected at most train.global_batch = 16, found 17", "")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.lr_schedule.warmup=201"}),
              ElementsAre(broken("train.lr_schedule.warmup",
                                 "expected at most train.steps = 200, found 201", "")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.lr_schedule.min_lr=1e-3"}),
              ElementsAre(broken("train.lr_schedule.min_lr",
                                 "expected at most train.optimizer.lr = 0.0003, found 0.001", "")));
  EXPECT_THAT(folder.problems(kSmallest, {"train.micro_batch=16", "train.lr_schedule.warmup=200",
                                          "train.lr_schedule.min_lr=3e-4"}),
              IsEmpty());
}

TEST(Rules, RefuseAGatherForTheStepWhereNothingIsGathered) {
  const JobFolder folder;
  const std::string step = "parallel.zero_gather=step";
  EXPECT_THAT(folder.problems(kSmallest, {step, "parallel.zero_stage=2"}),
              ElementsAre(broken("parallel.zero_gather",
                                 "expected none with parallel.zero_stage 2", "to 3")));
  EXPECT_THAT(folder.problems(kSmallest, {step, "parallel.zero_stage=3"}), IsEmpty());
}

TEST(Rules, RefuseAnEmulatedLinkThatNothingPasses) {
  const JobFolder folder;
  const std::string link = "launch.emulate_link.bandwidth=10";
  EXPECT_THAT(folder.problems(kSmallest, {link}),
              ElementsAre(broken("launch.emulate_link", "expected launch.emulate_nodes above 1",
                                 "leave the section out")));
  EXPECT_THAT(folder.problems(kSmallest, {link, "launch.emulate_nodes=2", "launch.backend=mpi"}),
              ElementsAre(broken("launch.emulate_link", "expected launch.backend native, found mpi",
                                 "leave the section out")));
  EXPECT_THAT(folder.problems(kSmallest, {link, "launch.emulate_nodes=2"}), IsEmpty());
}

TEST(Rules, PointAtTheKeyThatWasWritten) {
  const JobFolder folder;
  const auto problems =
      folder.problems(replaced(kSmallest, "steps: 200", "steps: 200\n  micro_batch: 32"));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].place.text(), "job.yaml:14:16");
}

TEST(Rules, ArePassedOverForKeysThatAreWrongThemselves) {
  const JobFolder folder;
  EXPECT_EQ(folder.problems(kSmallest, {"model.heads=0"}).size(), 1u);
  EXPECT_EQ(folder.problems(replaced(kSmallest, "  heads: 4\n", "")).size(), 1u);
  EXPECT_EQ(folder
                .problems("model: 5\nname: a\noutput: b\ndata: {train: [{path: a}]}\ntrain: "
                          "{steps: 1, global_batch: 1}\n")
                .size(),
            1u);
}

}  // namespace
}  // namespace phalanx::config

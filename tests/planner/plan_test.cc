#include "planner/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "layout/layout_error.h"
#include "layout/saved_bytes.h"

namespace phalanx::planner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

// Eight ranks, four layers.
config::Job small_job() {
  config::Job job;
  job.model = {"llama", 4, 32, 4, 2, 48, 24, 257};
  job.train.global_batch = 16;
  job.train.micro_batch = 2;
  job.launch.ranks_per_node = 8;
  return job;
}

// The same, with blocks that keep much more than they make for the while.
config::Job wide_job() {
  auto job = small_job();
  job.model.sequence_length = 512;
  job.model.ffn_width = 384;
  return job;
}

// A model of 405 billion parameters on 16,384 ranks.
config::Job large_job() {
  config::Job job;
  job.model = {"llama", 126, 16384, 128, 8, 53248, 8192, 128257};
  job.train.global_batch = 2048;
  job.train.micro_batch = 1;
  job.train.precision = "bf16";
  job.parallel.tensor = 8;
  job.parallel.pipeline = 16;
  job.parallel.zero_stage = 1;
  job.launch.ranks_per_node = 16;
  job.launch.emulate_nodes = 1024;
  return job;
}

TEST(Plan, NamesTheGroupsThatTheMeshHas) {
  auto job = small_job();
  job.parallel.tensor = job.parallel.pipeline = 2;
  const layout::Mesh mesh({2, 2, 1, 2, 1});
  const auto axes = plan(job).axes;
  for (const auto& [name, axis] : {std::pair{"pipeline", layout::Axis::kPipeline},
                                   {"data", layout::Axis::kData},
                                   {"tensor", layout::Axis::kTensor}}) {
    const auto found = std::ranges::find(axes, std::string(name), &AxisGroups::axis);
    ASSERT_NE(found, axes.end()) << name;
    std::set<std::vector<int>> groups;
    for (int rank = 0; rank < mesh.ranks(); ++rank) groups.insert(mesh.group(rank, axis));
    EXPECT_EQ(static_cast<int>(groups.size()), found->groups) << name;
    for (const auto& group : groups) {
      ASSERT_EQ(static_cast<int>(group.size()), found->ranks) << name;
      EXPECT_EQ(group[1] - group[0], found->stride) << name;
    }
  }
}

TEST(Plan, SpeaksForEveryRankOnceAndGivesEachItsOwnNumbers) {
  const auto job = large_job();
  const auto plan = planner::plan(job);
  EXPECT_EQ(plan.classes.size(), 2U * 16);  // an odd vocabulary has two sizes of parts
  const auto& mesh = plan.partition.mesh;
  int ranks = 0;
  for (const auto& each : plan.classes) ranks += each.ranks;
  EXPECT_EQ(ranks, 16384);
  for (const int rank : {0, 7, 8, 1023, 1024, 9999, 15368, 16383}) {
    const auto at = mesh.coordinates(rank);
    std::vector<const RankClass*> found;
    for (const auto& each : plan.classes)
      if (each.pipeline == at.pipeline && std::ranges::count(each.tensor, at.tensor) == 1)
        found.push_back(&each);
    ASSERT_EQ(found.size(), 1U) << rank;
    const auto buckets = layout::buckets(job.model, plan.partition, rank, layout::kBucketBytes);
    const auto own = state_memory(job, buckets, plan.schedule, at.pipeline);
    EXPECT_EQ(own.total(), found.front()->memory.state.total()) << rank;
    EXPECT_EQ(traffic(job, plan.partition, buckets, plan.schedule, at.pipeline, plan.step).total(),
              found.front()->sent.total())
        << rank;
  }
}

TEST(Plan, CountsTheMicroBatchesThatEachScheduleKeeps) {
  auto job = wide_job();
  job.parallel.pipeline = 4;
  job.train.global_batch = 32;  // 8 micro-batches of 2 on each of 2 data ranks
  const auto kept = [&](const char* schedule) {
    job.parallel.schedule = schedule;
    const auto plan = planner::plan(job);
    const auto tokens = 2 * plan.step.tokens * std::int64_t{sizeof(std::int64_t)};
    std::vector<std::int64_t> counts;
    for (const auto& each : plan.classes) {
      const auto& stage = plan.partition.stages[static_cast<std::size_t>(each.pipeline)];
      auto shape = plan.step.micro_batch;
      const auto one =
          layout::stage_memory(job.model, stage, shape, layout::element_bytes(job)).saved;
      // What is there for the while is less than a micro-batch keeps.
      counts.push_back((each.memory.activations - tokens) / one);
    }
    return counts;
  };
  EXPECT_THAT(kept("gpipe"), ElementsAre(8, 8, 8, 8));
  EXPECT_THAT(kept("1f1b"), ElementsAre(4, 3, 2, 1));
}

TEST(Plan, KeepsOnlyInputsOfRecomputedStagesAndOneStageWhole) {
  auto job = wide_job();
  job.parallel.recompute = {"full"};
  const auto whole = planner::plan(wide_job()).classes.front().memory.activations;
  const auto plan = planner::plan(job);
  const auto each = layout::element_bytes(job);
  std::int64_t inputs = 0, largest = 0;
  for (const auto& stage : plan.partition.stages) {
    const auto memory = layout::stage_memory(job.model, stage, plan.step.micro_batch, each);
    inputs += memory.input;
    // What comes before it has kept its input and nothing behind it keeps any more.
    largest = std::max(largest, inputs - memory.input + memory.saved);
  }
  EXPECT_GT(plan.classes.front().memory.activations, largest);
  EXPECT_LT(plan.classes.front().memory.activations, 1.5 * static_cast<double>(largest));
  EXPECT_LT(largest, whole / 2);
}

TEST(Plan, RecomputesInTheStagesThatAskForIt) {
  auto job = small_job();
  job.parallel.tensor = job.parallel.pipeline = 2;
  const auto with = [&](std::vector<std::string> recompute) {
    job.parallel.recompute = std::move(recompute);
    return planner::plan(job).classes;
  };
  const auto none = with({"none"}), selective = with({"selective"}), full = with({"full"});
  const auto first_full = with({"full", "none"}), last_selective = with({"none", "selective"});
  const auto expect_same = [](const RankClass& found, const RankClass& expected) {
    EXPECT_EQ(found.memory.activations, expected.memory.activations);
    EXPECT_EQ(found.sent.tensor, expected.sent.tensor);
  };
  // Two classes a stage: parts of an odd vocabulary.
  for (const std::size_t of_first : {0, 1}) {
    const auto of_last = of_first + 2;
    EXPECT_LT(full[of_first].memory.activations, none[of_first].memory.activations);
    EXPECT_GT(selective[of_last].sent.tensor, none[of_last].sent.tensor);
    expect_same(first_full[of_first], full[of_first]);
    expect_same(first_full[of_last], none[of_last]);
    expect_same(last_selective[of_first], none[of_first]);
    expect_same(last_selective[of_last], selective[of_last]);
  }
}

TEST(Plan, SendsAsManyBytesAsARingNeeds) {
  auto job = small_job();
  const std::int64_t parameters = layout::parameter_count(layout::tensor_specs(job.model));
  const auto sent = [&] { return planner::plan(job).classes.front().sent; };
  // A sum over 8 is 7/8 of all bytes twice; buffers are padded a little.
  EXPECT_NEAR(static_cast<double>(sent().data), 2 * 7.0 / 8 * 4 * parameters,
              0.02 * 4 * parameters);
  // ZeRO-1 and 2 send the same in two halves; ZeRO-3 gathers for forward and for backward.
  const auto all_reduce = sent().data;
  job.parallel.zero_stage = 1;
  EXPECT_NEAR(static_cast<double>(sent().data), all_reduce, 0.03 * all_reduce);
  job.parallel.zero_stage = 2;
  EXPECT_NEAR(static_cast<double>(sent().data), all_reduce, 0.03 * all_reduce);
  job.parallel.zero_stage = 3;
  EXPECT_NEAR(static_cast<double>(sent().data), 1.5 * all_reduce, 0.15 * all_reduce);

  job.parallel = {};
  job.parallel.tensor = 2;
  job.launch.ranks_per_node = 2;
  // 16 sequences of 24 tokens of 32 floats, half of which goes to the other rank: 1 and 1 for the
  // embedding, 2 and 3 for each of 8 blocks, 1 and 2 for the head; and 3 floats a token twice.
  const std::int64_t move = 16 * 24 * 32 * 4 / 2;
  EXPECT_EQ(sent().tensor, move * (2 + 8 * 5 + 3) + 2 * 16 * 24 * 3 * 4 / 2);

  job.parallel = {};
  job.parallel.pipeline = 2;
  EXPECT_EQ(sent().pipeline, 16 * 24 * 32 * 4);  // activations on; no gradient before stage 0
  EXPECT_EQ(sent().tensor, 0);
}

TEST(Plan, LoadsExpertsEvenlyOrWithAllThatCanCome) {
  auto job = small_job();
  job.model.preset = "mixtral";
  job.model.experts = 4;
  job.model.experts_per_token = 2;
  const auto whole = planner::plan(job).classes.front();
  EXPECT_EQ(whole.memory.activations, whole.memory.activations_most);
  EXPECT_EQ(whole.sent.expert, 0);

  job.parallel.expert = 4;
  const auto divided = planner::plan(job).classes.front();
  // Three of four experts of four layers, each of three matrices, and their moments.
  const std::int64_t away = 3 * 4 * 3 * 32 * 48 * 4;
  EXPECT_EQ(divided.memory.state.optimizer, whole.memory.state.optimizer - 2 * away);
  // A token chooses an expert once: 48 tokens of each of 4 ranks and not 2 x 48 of one. Kept of a
  // row: the input, gate and up; and a little that the last layer makes of it for the while.
  const std::int64_t kept = 4 * (4 * 48 - 2 * 48) * (32 + 2 * 48) * 4;
  EXPECT_GT(divided.memory.activations_most - divided.memory.activations, kept);
  EXPECT_LT(divided.memory.activations_most - divided.memory.activations, kept * 5 / 4);
  // Forward and backward, there and back, 2 x 48 rows of which 3 of 4 leave; beside the numbers of
  // rows and chunks.
  const std::int64_t rows = 4 * 2 * 2 * 2 * 48 * 3 / 4 * 32 * 4;
  EXPECT_NEAR(static_cast<double>(divided.sent.expert), rows, 0.01 * rows);
  // 48 rows leave, and those of three other ranks go back.
  const std::int64_t most = 4 * 2 * (48 + 3 * 48) * 32 * 4;
  EXPECT_NEAR(static_cast<double>(divided.sent.expert_most), most, 0.01 * most);
}

TEST(Plan, HasTheBubbleOfOneForwardOneBackward) {
  auto job = small_job();
  EXPECT_EQ(planner::plan(job).bubble, 0);
  // A head of 265 words costs what a layer does, but its backward pass has no attention.
  job.model.vocab_size = 265;
  job.model.layers = 5;
  job.parallel.pipeline = 3;
  job.launch.ranks_per_node = 3;
  job.train.global_batch = 20;
  const auto plan = planner::plan(job);
  const double p = 3, m = 10;
  EXPECT_NEAR(plan.bubble, (p - 1) / (m + p - 1), 0.02);
  job.parallel.schedule = "zb_h1";
  EXPECT_LT(planner::plan(job).bubble, plan.bubble);
}

TEST(Plan, DrawsTheStepOfTheJob) {
  auto job = small_job();
  job.parallel.pipeline = 2;
  job.parallel.schedule = "zb_h1";
  EXPECT_THAT(draw(job, plan(job)), testing::AllOf(HasSubstr("<svg"), HasSubstr("ZB-H1")));
}

TEST(Plan, RefusesWhatCannotBe) {
  auto job = small_job();
  job.parallel.tensor = 3;
  EXPECT_THROW(plan(job), layout::LayoutError);
}

}  // namespace
}  // namespace phalanx::planner

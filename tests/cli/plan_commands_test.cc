#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "launcher/error.h"
#include "layout/layout_error.h"
#include "tests/cli/command_output.h"
#include "tests/data/temporary_folder.h"

namespace phalanx::launcher {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PlanCommand : public testing::Test {
 protected:
  data::TemporaryFolder folder_;
  // Its data is nowhere: a plan needs none.
  std::string job_ = folder_.write("job.yaml", R"(name: small
model: {layers: 4, width: 32, heads: 4, kv_heads: 2, ffn_width: 48, sequence_length: 24}
data: {train: [{path: none.tokens}]}
train: {steps: 1, global_batch: 16, micro_batch: 2}
parallel: {tensor: 2, pipeline: 2, zero_stage: 1}
launch: {ranks_per_node: 8}
output: run
)");
};

TEST_F(PlanCommand, TellsAPersonWhoHoldsWhatAndWhatItTakes) {
  EXPECT_THAT(
      output_of({"plan", job_}),
      AllOf(HasSubstr("mesh: 8 ranks\n"),
            HasSubstr("pipeline      2 ranks in each of 4 groups, 4 apart: 0, 4; ...\n"),
            HasSubstr("data          2 ranks in each of 4 groups, 2 apart: 0, 2; ...\n"),
            HasSubstr("tensor        2 ranks in each of 4 groups, 1 apart: 0, 1; ...\n"),
            HasSubstr("4 micro-batches of 2 x 24 tokens"),
            HasSubstr("  pipeline 0: embedding, layers 0-"), HasSubstr(", head\n"),
            HasSubstr("2 of 4 heads, 1 of 2 key-value heads, 24 of 48 channels, 128 or 129 words"),
            HasSubstr("pipeline 1, tensor 1"), HasSubstr("memory of a rank:"),
            HasSubstr("sent by a rank in a step")));
}

TEST_F(PlanCommand, CountsParametersInWordsOfTheirSize) {
  EXPECT_THAT(output_of({"plan", job_}), HasSubstr("small: llama 0.05M parameters\n"));
  const auto wide = [&](const char* layers) {
    return output_of({"plan", job_, std::string("--model.layers=") + layers, "--model.width=4096",
                      "--model.ffn_width=16384"});
  };
  EXPECT_THAT(wide("8"), HasSubstr("2.02B parameters\n"));
  EXPECT_THAT(wide("5000"), HasSubstr("1.26T parameters\n"));
}

TEST_F(PlanCommand, HasTheSameContentAsJson) {
  const auto plan = json_of({"plan", job_});
  EXPECT_EQ(plan["mesh"]["ranks"], 8);
  EXPECT_EQ(plan["mesh"]["axes"].size(), 5U);
  EXPECT_EQ(plan["stages"].size(), 2U);
  EXPECT_EQ(plan["stages"][0]["embedding"], true);
  EXPECT_EQ(plan["step"]["micro_batches"], 4);
  EXPECT_GT(plan["bubble"], 0.0);
  int ranks = 0;
  std::int64_t most = 0;
  for (const auto& each : plan["ranks"]) {
    ranks += each["ranks"].get<int>();
    const auto& bytes = each["bytes"];
    std::int64_t total = 0;
    for (const auto* kind : {"parameters", "gradients", "optimizer", "activations"})
      total += bytes[kind].get<std::int64_t>();
    EXPECT_EQ(bytes["total"], total);
    most = std::max(most, total);
    for (const auto* axis : {"tensor", "pipeline", "data"})
      EXPECT_GT(each["sent_bytes_per_step"][axis], 0) << axis;
  }
  EXPECT_EQ(ranks, 8);
  EXPECT_EQ(plan["largest_rank_bytes"], most);
}

TEST_F(PlanCommand, DrawsTheSchedule) {
  const std::string file = folder_ / "step.svg";
  EXPECT_EQ(json_of({"plan", job_, "--draw-schedule", file})["drawing"], file);
  EXPECT_THAT(read_file(file), HasSubstr("1F1B"));
}

TEST_F(PlanCommand, RefusesALayoutThatCannotBeAndNamesTheNearest) {
  EXPECT_THAT(error_of<layout::LayoutError>({"plan", job_, "--parallel.tensor=3"}),
              AllOf(HasSubstr("parallel.tensor 3"), HasSubstr("would fit")));
}

TEST_F(PlanCommand, SaysWhatExpertsNeedWhenAllTokensCome) {
  const std::vector<std::string> experts = {"plan", job_, "--model.preset=mixtral",
                                            "--model.experts=4", "--model.experts_per_token=2"};
  EXPECT_THAT(output_of(experts), HasSubstr("if all tokens come"));
  auto json = experts;
  json.push_back("--parallel.expert=2");
  const auto rank = json_of(json)["ranks"][0];
  EXPECT_GT(rank["bytes"]["activations_most"], rank["bytes"]["activations"]);
  EXPECT_GT(rank["sent_bytes_per_step"]["expert"], 0);
}

TEST_F(PlanCommand, SaysNoMoreForManyRanksThanForFew) {
  const auto lines = [&](const std::string& nodes) {
    const auto text =
        output_of({"plan", job_, "--launch.emulate_nodes=" + nodes, "--train.global_batch=4096"});
    return std::ranges::count(text, '\n');
  };
  EXPECT_EQ(lines("1"), lines("1024"));
}

}  // namespace
}  // namespace phalanx::launcher

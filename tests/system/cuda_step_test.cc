// Training with launch.device: cuda: the numbers of the CPU in the same layout, wherever a GPU is.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <filesystem>
#include <ostream>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

const Arguments kOnGpus = {"--launch.device=cuda", "--launch.backend=nccl"};

bool gpu_is_here() { return std::filesystem::exists("/dev/nvidiactl"); }

Arguments operator+(Arguments all, const Arguments& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST(CudaStep, EndsBeforeAnyStepAndSaysWhatIsMissingWithoutAGpu) {
  if (gpu_is_here()) GTEST_SKIP() << "there is a GPU";
  Workshop workshop;
  LiveRun run(workshop, "run", kOnGpus);
  EXPECT_EQ(run.wait(), 4) << run.console();
  EXPECT_NE(run.console().find("error: "), std::string::npos) << run.console();
  EXPECT_NE(run.console().find("help: "), std::string::npos) << run.console();
  EXPECT_TRUE(run.metrics().empty());
  expect_nothing_left(workshop);
}

TEST(CudaStep, IsRefusedWithABackendThatReachesNoGpu) {
  Workshop workshop;
  const auto outcome = workshop.phalanx({"run", workshop.job().string(), "--launch.device=cuda"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.errors.find("launch.backend: native: expected one for launch.device: cuda, "
                                "found one for cpu"),
            std::string::npos)
      << outcome.errors;
}

struct Layout {
  const char* name;
  Arguments keys;
  double tolerance = 1e-4;  // of losses and norms: sums in another order

  friend std::ostream& operator<<(std::ostream& out, const Layout& layout) {
    return out << layout.name;
  }
};
const Arguments kExperts = {"--model.preset=qwen_moe", "--model.experts=4",
                            "--model.experts_per_token=2", "--model.expert_width=32",
                            "--parallel.expert=2"};
const Layout kLayouts[] = {
    {"OneRank", {"--launch.ranks_per_node=1"}},
    {"OneRankInBf16", {"--launch.ranks_per_node=1", "--train.precision=bf16"}, 3e-2},
    {"OneRankOfGpt2", {"--launch.ranks_per_node=1", "--model.preset=gpt2", "--model.kv_heads=2"}},
    {"OneRankOfExperts",
     {"--launch.ranks_per_node=1", "--model.preset=mixtral", "--model.experts=4",
      "--model.experts_per_token=2"}},
    {"Data", {"--launch.ranks_per_node=2"}},
    {"Zero3InBf16",
     {"--launch.ranks_per_node=2", "--parallel.zero_stage=3", "--train.precision=bf16"},
     3e-2},
    {"Tensor", {"--launch.ranks_per_node=2", "--parallel.tensor=2", "--model.kv_heads=2"}},
    {"StagesInAV",
     {"--launch.ranks_per_node=2", "--parallel.pipeline=2", "--parallel.schedule=zb_v",
      "--parallel.virtual_stages=2", "--model.layers=4"}},
    {"Ring", {"--launch.ranks_per_node=2", "--parallel.context=2"}},
    {"Experts", Arguments{"--launch.ranks_per_node=2"} + kExperts},
    {"StagesOfTensorRanks", {"--parallel.pipeline=2", "--parallel.tensor=2", "--model.kv_heads=2"}},
};

void expect_near(const LiveRun& found, const LiveRun& expected, double tolerance) {
  const auto steps = trajectory(expected), on_gpu = trajectory(found);
  EXPECT_EQ(on_gpu.size(), steps.size());
  for (const auto& [number, step] : steps) {
    for (const char* key : {"loss", "grad_norm"}) {
      const double right = step.at(key);
      EXPECT_LE(std::abs(on_gpu.at(number).at(key).get<double>() - right), tolerance * right)
          << key << " of step " << number;
    }
  }
}

class CudaStepOf : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    if (!gpu_is_here()) GTEST_SKIP() << "no GPU on this machine";
  }
};

TEST_P(CudaStepOf, HasTheLossesAndNormsOfTheCpu) {
  Workshop workshop;
  const auto keys = GetParam().keys + Arguments{"--train.steps=10"};
  LiveRun on_cpu(workshop, "cpu", keys);
  EXPECT_EQ(on_cpu.wait(), 0) << on_cpu.console();
  LiveRun on_gpu(workshop, "gpu", keys + kOnGpus);
  ASSERT_EQ(on_gpu.wait(), 0) << on_gpu.console();
  expect_near(on_gpu, on_cpu, GetParam().tolerance);
}

TEST_P(CudaStepOf, IsGoneOnWithOnTheCpuFromItsCheckpoint) {
  Workshop workshop;
  const auto keys = GetParam().keys + Arguments{"--train.steps=10", "--checkpoint.every=5"};
  LiveRun on_gpu(workshop, "gpu", keys + kOnGpus);
  ASSERT_EQ(on_gpu.wait(), 0) << on_gpu.console();
  LiveRun on_cpu(workshop, "cpu",
                 keys + Arguments{"--resume=" + on_gpu.checkpoints().front().string()});
  EXPECT_EQ(on_cpu.wait(), 0) << on_cpu.console();
  const auto found = trajectory(on_cpu), expected = trajectory(on_gpu);
  EXPECT_EQ(found.begin()->first, 6);
  const double right = expected.at(10).at("loss");
  EXPECT_NEAR(found.at(10).at("loss").get<double>() / right, 1, GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(Layouts, CudaStepOf, testing::ValuesIn(kLayouts),
                         [](const auto& info) { return std::string(info.param.name); });

using CudaRecovery = CudaStepOf;
TEST_P(CudaRecovery, ReplacesAKilledRank) {
  Workshop workshop;
  LiveRun run(workshop, "run",
              GetParam().keys + kOnGpus + Arguments{"--train.steps=300", "--checkpoint.every=50"});
  const auto workers = run.training_workers();
  ASSERT_TRUE(run.await_step(60));
  ::kill(workers.back().pid, SIGKILL);
  ASSERT_TRUE(run.await_event("generation_formed", 2));
  EXPECT_EQ(run.wait(), 0) << run.console();
  expect_no_step_lost_or_doubled(run, 1, 300);
}
INSTANTIATE_TEST_SUITE_P(Layouts, CudaRecovery, testing::Values(kLayouts[0], kLayouts[4]),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace phalanx::system_test

// Workers are killed, at any instant: the survivors go on in their processes, and nobody can tell
// from the losses or from the final state.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

using std::chrono::milliseconds;

// Saves and validations in every volley.
class KilledWorkers : public AgainstReference {
 protected:
  KilledWorkers()
      : AgainstReference(
            {"--train.steps=1200", "--checkpoint.every=25", "--data.validation.every=5"}) {}
};

class KilledWorkerOfAShortRun : public AgainstReference {
 protected:
  KilledWorkerOfAShortRun() : AgainstReference({}) {}
};

class KilledWorkerOfExperts : public AgainstReference {
 protected:
  KilledWorkerOfExperts()
      : AgainstReference({"--train.steps=300", "--model.preset=qwen_moe", "--model.experts=4",
                          "--model.experts_per_token=2", "--model.expert_width=32",
                          "--model.router.bias_balancing=0.01", "--parallel.expert=2"}) {}
};

void expect_recovered_by(const LiveRun& run, const std::string& rung) {
  for (const auto& recovery : run.summary()["recoveries"]) EXPECT_EQ(recovery["rung"], rung);
}

TEST(KilledWorker, IsReplacedAtAnyInstantAndNobodyCanTell) { expect_kills_change_nothing(1, 10); }

TEST_F(KilledWorkerOfAShortRun, InTheFinalSaveIsReplacedOrNotNeededAnyMore) {
  Chance chance(2);
  for (int kill = 0; kill < 6; ++kill) {
    LiveRun& run = start(fmt::format("run-{}", kill));
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    ASSERT_TRUE(run.await_step(40));
    chance.let_pass(milliseconds(8));
    ::kill(workers[static_cast<std::size_t>(chance.below(4))].pid, SIGKILL);
    expect_the_same_end();
  }
}

// The state holds the biases that balance experts, though no optimizer moves them; ranks 0 and 2
// have the same half of the experts.
TEST_F(KilledWorkerOfExperts, IsReplacedAndNobodyCanTell) {
  LiveRun& run = start();
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ASSERT_TRUE(run.await_step(20));
  ::kill(workers[2].pid, SIGKILL);
  expect_the_same_end();
  EXPECT_GE(run.metrics().back()["busiest_expert"], 1);
}

TEST_F(KilledWorkers, WhoseSuccessorIsKilledWhileItRestoresIsReplacedAgain) {
  LiveRun& run = start();
  Chance chance(3);
  for (int round = 0; round < 3; ++round) {
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    const int victim = chance.below(4);
    const auto is_new = [&](const Process& process) {
      return process.name == "phalanx-worker" &&
             std::ranges::none_of(workers,
                                  [&](const auto& worker) { return worker.pid == process.pid; });
    };
    ::kill(workers[static_cast<std::size_t>(victim)].pid, SIGKILL);
    std::vector<Process> all;
    ASSERT_TRUE(run.await("its successor", [&] {
      all = workshop.processes();
      return std::ranges::any_of(all, is_new);
    }));
    chance.let_pass(milliseconds(40));
    ::kill(std::ranges::find_if(all, is_new)->pid, SIGKILL);
    ASSERT_TRUE(run.await_step(run.last_step() + 1));
  }
  expect_the_same_end();
}

TEST_F(KilledWorkers, TwoAtOnceAreReplacedFromAReplica) {
  LiveRun& run = start();
  Chance chance(4);
  for (int round = 0; round < 3; ++round) {
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    const int first = chance.below(4);
    chance.let_pass(milliseconds(10));
    strike(run, workers, {first, (first + 1 + chance.below(3)) % 4});
  }
  expect_the_same_end();
  expect_recovered_by(run, "replica");
}

TEST_F(KilledWorkers, AllAtOnceGoBackToTheCheckpointAndTheResultIsTheSame) {
  LiveRun& run = start();
  ASSERT_TRUE(run.await_event("checkpoint_committed"));
  Chance chance(5);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  chance.let_pass(milliseconds(20));
  strike(run, workers, {0, 1, 2, 3});
  expect_the_same_end();
  // A death that is seen alone, before the others, is one more recovery; what ended them all is the last.
  EXPECT_EQ(run.summary()["recoveries"].back()["rung"], "checkpoint");
}

}  // namespace
}  // namespace phalanx::system_test

// Workers are killed, at any instant: the survivors go on in their processes, and nobody can tell
// from the losses or from the final state.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

using std::chrono::milliseconds;

// Time enough to aim; saves and validations in every volley.
const Arguments kLong = {"--train.steps=1200", "--checkpoint.every=25",
                         "--data.validation.every=5"};

void expect_recovered_by(const LiveRun& run, const std::string& rung) {
  for (const auto& recovery : run.summary()["recoveries"]) EXPECT_EQ(recovery["rung"], rung);
}

TEST(KilledWorker, IsReplacedAtAnyInstantAndNobodyCanTell) { expect_kills_change_nothing(1, 10); }

TEST(KilledWorker, InTheFinalSaveIsReplacedOrNotNeededAnyMore) {
  Workshop workshop;
  LiveRun reference(workshop, "reference");
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  Chance chance(2);
  for (int kill = 0; kill < 6; ++kill) {
    LiveRun run(workshop, "run-" + std::to_string(kill));
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    ASSERT_TRUE(run.await_step(40));
    chance.let_pass(milliseconds(8));
    ::kill(workers[static_cast<std::size_t>(chance.below(4))].pid, SIGKILL);
    ASSERT_EQ(run.wait(), 0) << run.console();
    expect_equal(run, reference);
  }
  expect_nothing_left(workshop);
}

TEST(KilledWorker, WhoseSuccessorIsKilledWhileItRestoresIsReplacedAgain) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
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
  ASSERT_EQ(run.wait(), 0) << run.console();
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 1200);
  expect_nothing_left(workshop);
}

TEST(KilledWorker, TwoAtOnceAreReplacedFromAReplica) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  Chance chance(4);
  for (int round = 0; round < 3; ++round) {
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    const int first = chance.below(4);
    chance.let_pass(milliseconds(10));
    strike(run, workers, {first, (first + 1 + chance.below(3)) % 4});
  }
  ASSERT_EQ(run.wait(), 0) << run.console();
  expect_recovered_by(run, "replica");
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 1200);
}

TEST(KilledWorker, AllAtOnceGoBackToTheCheckpointAndTheResultIsTheSame) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  ASSERT_TRUE(run.await_event("checkpoint_committed"));
  Chance chance(5);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  chance.let_pass(milliseconds(20));
  strike(run, workers, {0, 1, 2, 3});
  ASSERT_EQ(run.wait(), 0) << run.console();
  EXPECT_EQ(run.summary()["recoveries"][0]["rung"], "checkpoint");
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 1200);
  expect_nothing_left(workshop);
}

}  // namespace
}  // namespace phalanx::system_test

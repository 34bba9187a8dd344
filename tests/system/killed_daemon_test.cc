// The processes around the workers are killed: the job goes on, or ends with a verdict and without
// leaving anything behind.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

using std::chrono::milliseconds;

const Arguments kLong = {"--train.steps=1200", "--checkpoint.every=100"};
// Nobody waits for its end.
const Arguments kEndless = {"--train.steps=1000000", "--checkpoint.every=100"};

class KilledDaemon : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(OfEachKind, KilledDaemon,
                         ::testing::Values("phalanx-agent", "phalanx-control", "phalanx-nursery"),
                         [](const auto& info) { return info.param.substr(8); });

TEST_P(KilledDaemon, IsStartedAgainWhileTheJobGoesOnAndNothingIsLostOrDoubled) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  Chance chance(11);
  pid_t victim = 0;
  for (int kill = 0; kill < 2; ++kill) {
    ASSERT_TRUE(run.await(GetParam(), [&] {
      const pid_t pid = run.find(GetParam());
      return pid != 0 && pid != victim;
    }));
    victim = run.find(GetParam());
    chance.let_pass(milliseconds(20));
    ::kill(victim, SIGKILL);
    ASSERT_TRUE(run.await_step(run.last_step() + 10));
  }
  const auto after = run.training_workers();
  for (std::size_t rank = 0; rank < after.size(); ++rank)
    EXPECT_EQ(after[rank].pid, workers[rank].pid) << "rank " << rank;
  ASSERT_EQ(run.wait(), 0) << run.console();
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 1200);
  EXPECT_EQ(run.metrics().size(), 1200u);
  expect_nothing_left(workshop);
}

TEST(KilledController, DuringARecoveryReplaysAndTheJobGoesOn) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  Chance chance(12);
  for (int round = 0; round < 2; ++round) {
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    const pid_t controller = run.find("phalanx-control");
    const std::size_t restored = run.events("restored").size();
    ::kill(workers[static_cast<std::size_t>(chance.below(4))].pid, SIGKILL);
    chance.let_pass(milliseconds(30));
    ::kill(controller, SIGKILL);
    ASSERT_TRUE(run.await_event("restored", restored + 1));
    ASSERT_TRUE(run.await("another controller", [&] {
      const pid_t pid = run.find("phalanx-control");
      return pid != 0 && pid != controller;
    }));
  }
  ASSERT_EQ(run.wait(), 0) << run.console();
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 1200);
  expect_nothing_left(workshop);
}

TEST(KilledKeeper, OfANodeWithoutTheControllerEndsTheJobWith12) {
  Workshop workshop;
  Arguments arguments = kEndless;
  arguments.insert(arguments.end(), {"--launch.ranks_per_node=2", "--launch.emulate_nodes=2"});
  LiveRun run(workshop, "run", arguments);
  ASSERT_TRUE(run.await_step(3));
  ::kill(run.keeper(1), SIGKILL);
  EXPECT_EQ(run.wait(), 12) << run.console();
  EXPECT_EQ(run.summary()["exit_code"], 12);
  EXPECT_NE(run.summary()["first_cause"].get<std::string>().find("node1"), std::string::npos)
      << run.summary();
  expect_nothing_left(workshop);
}

TEST(KilledKeeper, OfTheControllersNodeEndsTheJobWith12) {
  Workshop workshop;
  Arguments arguments = kEndless;
  arguments.insert(arguments.end(), {"--launch.ranks_per_node=2", "--launch.emulate_nodes=2"});
  LiveRun run(workshop, "run", arguments);
  ASSERT_TRUE(run.await_step(3));
  ::kill(run.keeper(0), SIGKILL);
  EXPECT_EQ(run.wait(), 12) << run.console();
  EXPECT_EQ(run.summary()["exit_code"], 12);
  EXPECT_NE(run.summary()["first_cause"].get<std::string>().find("node0"), std::string::npos)
      << run.summary();
  expect_nothing_left(workshop);
}

TEST(KilledCommandLine, LeavesNothingBehindAndTheNextRunResumes) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  ASSERT_TRUE(run.await_event("checkpoint_committed", 2));
  run.signal(SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL);
  expect_nothing_left(workshop);
  LiveRun next(workshop, "run", kLong);
  ASSERT_EQ(next.wait(), 0) << next.console();
  EXPECT_NE(next.console().find("going on from step"), std::string::npos) << next.console();
  expect_equal(next, reference);
  expect_nothing_left(workshop);
}

TEST(KilledEverything, ButAStoppedWorkerTakesThatOneAlong) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ::kill(workers[2].pid, SIGSTOP);
  for (const auto& process : workshop.processes())
    if (process.pid != workers[2].pid) ::kill(process.pid, SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL);
  expect_nothing_left(workshop);
}

}  // namespace
}  // namespace phalanx::system_test

// The processes around the workers are killed: the job goes on, or ends with a verdict and without
// leaving anything behind.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

using std::chrono::milliseconds;

class KilledDaemons : public AgainstReference {
 protected:
  KilledDaemons() : AgainstReference({"--train.steps=1200", "--checkpoint.every=100"}) {}
};
// Nobody waits for its end.
const Arguments kEndless = {"--train.steps=1000000", "--checkpoint.every=100"};

class KilledDaemon : public KilledDaemons, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(OfEachKind, KilledDaemon,
                         ::testing::Values("phalanx-agent", "phalanx-control", "phalanx-nursery"),
                         [](const auto& info) { return info.param.substr(8); });

TEST_P(KilledDaemon, IsStartedAgainWhileTheJobGoesOnAndNothingIsLostOrDoubled) {
  LiveRun& run = start();
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
  expect_the_same_end();
  EXPECT_EQ(run.metrics().size(), 1200u);
  const std::map<std::string, std::string> events = {{"phalanx-agent", "agent_restarted"},
                                                     {"phalanx-control", "controller_restarted"},
                                                     {"phalanx-nursery", "nursery_restarted"}};
  EXPECT_EQ(run.events(events.at(GetParam())).size(), 2u);
}

TEST_F(KilledDaemons, TheControllerDuringARecoveryReplaysAndTheJobGoesOn) {
  LiveRun& run = start();
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
  expect_the_same_end();
}

// All that a run's summary has, also when nobody but `phalanx run` was left to write it.
void expect_whole_summary(const LiveRun& run) {
  const Json summary = run.summary();
  for (const auto* key :
       {"schema_version", "outcome", "exit_code", "steps", "tokens", "seconds", "first_cause",
        "goodput", "model_flops_per_second", "mfu", "environment", "recoveries"})
    EXPECT_TRUE(summary.contains(key)) << key << ": " << summary;
  EXPECT_EQ(summary["steps"], run.last_step());
  EXPECT_EQ(run.events("job_ended").size(), 1u);
}

TEST(KilledController, ThreeTimesInARowEndsTheJobWith12AndSaysSo) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  ASSERT_TRUE(run.await_step(3));
  pid_t victim = 0;
  for (int kill = 0; kill < 3; ++kill) {
    ASSERT_TRUE(run.await("a controller", [&] {
      const pid_t pid = run.find("phalanx-control");
      return pid != 0 && pid != victim;
    }));
    ::kill(victim = run.find("phalanx-control"), SIGKILL);
  }
  EXPECT_EQ(run.wait(), 12) << run.console();
  EXPECT_NE(run.summary()["first_cause"].get<std::string>().find("controller keeps dying"),
            std::string::npos)
      << run.summary();
  expect_whole_summary(run);
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
  EXPECT_TRUE(workshop.processes().empty());  // `phalanx run` is the last
  expect_whole_summary(run);
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
  EXPECT_TRUE(workshop.processes().empty());  // `phalanx run` is the last
  expect_whole_summary(run);
  EXPECT_EQ(run.summary()["exit_code"], 12);
  EXPECT_NE(run.summary()["first_cause"].get<std::string>().find("node0"), std::string::npos)
      << run.summary();
  expect_nothing_left(workshop);
}

TEST_F(KilledDaemons, TheCommandLineLeavesNothingBehindAndTheNextRunResumes) {
  LiveRun& run = start();
  ASSERT_TRUE(run.await_event("checkpoint_committed", 2));
  run.signal(SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL);
  expect_nothing_left(workshop);
  LiveRun& next = start();
  expect_the_same_end();
  EXPECT_NE(next.console().find("going on from step"), std::string::npos) << next.console();
}

TEST(KilledCommandLine, TakesAStoppedKeeperAlong) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  ASSERT_TRUE(run.await_step(3));
  ::kill(run.keeper(0), SIGSTOP);
  run.signal(SIGKILL);
  EXPECT_EQ(run.wait(), 128 + SIGKILL);
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

// What takes longer: many kills, and hangs that must be noticed.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

class Endurance : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(OfSeed, Endurance, ::testing::Range(100u, 105u));

TEST_P(Endurance, TenKillsAtAnyInstantChangeNothing) {
  expect_kills_change_nothing(GetParam(), 10);
}

TEST(StoppedWorker, IsNoticedReplacedAndNobodyCanTell) {
  Workshop workshop;
  const Arguments arguments = {"--train.steps=600"};
  LiveRun reference(workshop, "reference", arguments);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", arguments);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ASSERT_TRUE(run.await_step(3));
  ::kill(workers[2].pid, SIGSTOP);
  ASSERT_EQ(run.wait(), 0) << run.console();
  ASSERT_EQ(run.events("worker_silent").size(), 1u);
  EXPECT_EQ(run.events("worker_silent")[0]["rank"], 2);
  EXPECT_EQ(run.summary()["recoveries"][0]["rung"], "replica");
  expect_equal(run, reference);
  expect_nothing_left(workshop);
}

TEST(StoppedAgent, IsReplacedWhileTheJobGoesOn) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=1000000", "--checkpoint.every=1000000"});
  ASSERT_TRUE(run.await_step(3));
  ::kill(run.find("phalanx-agent"), SIGSTOP);
  ASSERT_TRUE(run.await_event("agent_restarted"));
  ASSERT_TRUE(run.await_step(run.last_step() + 10));
  run.signal(SIGINT);
  ASSERT_EQ(run.wait(), 130) << run.console();
  EXPECT_EQ(run.metrics().size(), static_cast<std::size_t>(run.last_step()));
  EXPECT_TRUE(run.summary()["recoveries"].empty());
  expect_nothing_left(workshop);
}

}  // namespace
}  // namespace phalanx::system_test

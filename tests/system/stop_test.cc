// Somebody stops a run: its state is saved, and going on gives what an uninterrupted run gives.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/system/kills.h"

namespace phalanx::system_test {
namespace {

const Arguments kLong = {"--train.steps=600", "--checkpoint.every=100"};
const Arguments kEndless = {"--train.steps=1000000", "--checkpoint.every=1000000"};

TEST(Stop, ByCtrlCSavesAndGoingOnIsBitwiseEqualToAnUninterruptedRun) {
  Workshop workshop;
  LiveRun reference(workshop, "reference", kLong);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", kLong);
  ASSERT_TRUE(run.await_step(7));
  run.signal(SIGINT);
  ASSERT_EQ(run.wait(), 130) << run.console();
  const auto stopped_at = run.last_step();
  EXPECT_LT(stopped_at, 600);
  EXPECT_EQ(run.summary()["outcome"], "stopped");
  expect_nothing_left(workshop);
  LiveRun next(workshop, "run", kLong);
  ASSERT_EQ(next.wait(), 0) << next.console();
  EXPECT_NE(next.console().find("going on from step " + std::to_string(stopped_at)),
            std::string::npos)
      << next.console();
  expect_equal(next, reference);
  EXPECT_EQ(next.metrics().size(), 600u);
}

TEST(Stop, BySigtermSavesAndEndsWith75) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  ASSERT_TRUE(run.await_step(3));
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait(), 75) << run.console();
  EXPECT_EQ(final_state(run)["step"], run.last_step());
  EXPECT_EQ(run.summary()["exit_code"], 75);
  expect_nothing_left(workshop);
}

TEST(Stop, BySigtermSavesAlsoWhenAWorkerDiesMeanwhile) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ASSERT_TRUE(run.await_step(3));
  run.signal(SIGTERM);
  ::kill(workers[3].pid, SIGKILL);
  EXPECT_EQ(run.wait(), 75) << run.console();
  EXPECT_EQ(final_state(run)["step"], run.last_step());
  expect_nothing_left(workshop);
}

TEST(Stop, ByTwoCtrlCEndsAtOnceAndSaysHowToGoOn) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ::kill(workers[1].pid, SIGSTOP);  // so that saving would take long
  run.signal(SIGINT);
  ASSERT_TRUE(run.await_event("stop_requested"));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(8), 130) << run.console();
  EXPECT_NE(run.console().find("help: run the job again"), std::string::npos) << run.console();
  EXPECT_EQ(run.summary()["exit_code"], 130);
  expect_nothing_left(workshop);
}

TEST(Stop, ByTwoCtrlCDoesNotWaitForAKeeperThatIsStuck) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=1000000", "--checkpoint.every=1000000"});
  ASSERT_TRUE(run.await_step(3));
  ::kill(run.keeper(0), SIGSTOP);
  run.signal(SIGINT);
  ASSERT_TRUE(run.await_event("stop_requested"));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(15), 130) << run.console();
  EXPECT_EQ(run.summary()["exit_code"], 130);
  expect_nothing_left(workshop);
}

TEST(Stop, BeforeTheFirstStepEndsTheRun) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  ASSERT_TRUE(run.await("its first process", [&] { return workshop.processes().size() > 1; }));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(), 130) << run.console();
  expect_nothing_left(workshop);
}

TEST(Stop, ByCancelEndsWith0AndTheRunCanGoOn) {
  Workshop workshop;
  LiveRun run(workshop, "run", kEndless);
  ASSERT_TRUE(run.await_step(3));
  const auto cancelled = workshop.phalanx({"cancel", run.output()});
  EXPECT_EQ(cancelled.code, 0) << cancelled.errors;
  ASSERT_EQ(run.wait(), 0) << run.console();
  EXPECT_EQ(run.summary()["outcome"], "cancelled");
  const auto stopped_at = run.last_step();
  LiveRun next(workshop, "run",
               {"--train.steps=" + std::to_string(stopped_at + 5), "--resume=must"});
  EXPECT_EQ(next.wait(), 0) << next.console();
  EXPECT_EQ(next.last_step(), stopped_at + 5);
  expect_nothing_left(workshop);
}

}  // namespace
}  // namespace phalanx::system_test

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

using protocol::NodeCommand;
using testing::HasSubstr;

TEST(Training, WritesDownEachStepOnceAndOnlyFromRankZeroOfTheGeneration) {
  Scenario job;
  job.begin();
  job.step(1);
  EXPECT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_DOUBLE_EQ(job.last<RecordStep>()[0].tokens_per_second, 2000);
  EXPECT_TRUE(job.step(1).empty());
  EXPECT_TRUE(job.step(2, 1).empty());
  job.state.generation = 9;
  protocol::FromWorker old;
  old.mutable_step()->set_generation(1);
  old.mutable_step()->set_step(2);
  EXPECT_TRUE(job.say(0, old).empty());
}

TEST(Training, AbortsAtOnceAndReplacesOnlyTheMemberThatDied) {
  Scenario job;
  job.begin();
  job.train_to(3);
  job.die(2);
  EXPECT_EQ(job.abort().generation(), 1u);
  EXPECT_EQ(job.abort().rank(), 2);
  EXPECT_EQ(job.abort().reason(), "rank 2 died: signal 9 (Killed)");
  const auto starts = job.commands(NodeCommand::kStartWorker);
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].start_worker().slot(), 0);
  EXPECT_EQ(job.last<Send>().back().node, 1);
  EXPECT_TRUE(job.commands(NodeCommand::kKillWorker).empty());
  EXPECT_EQ(job.events("worker_died").size(), 1u);
}

TEST(Training, CountsAnExitThatNobodyAskedForAsADeath) {
  Scenario job;
  job.begin();
  job.die(1, 0, 0);
  EXPECT_EQ(job.abort().reason(), "rank 1 died: exit status 0");
}

TEST(Training, KillsASilentWorkerAndReplacesItWhenItsExitIsReported) {
  Scenario job;
  job.begin();
  job.silent(1);
  ASSERT_EQ(job.commands(NodeCommand::kKillWorker).size(), 1u);
  EXPECT_EQ(job.commands(NodeCommand::kKillWorker)[0].kill_worker().pid(), 1001);
  EXPECT_THAT(job.abort().reason(), HasSubstr("rank 1 showed no sign of life for 12.5 s"));
  EXPECT_DOUBLE_EQ(job.state.recoveries[0].noticed_seconds, 12.5);
  EXPECT_TRUE(job.commands(NodeCommand::kStartWorker).empty());
  job.silent(1);
  EXPECT_TRUE(job.last<Send>().empty());
  job.die(1);
  EXPECT_EQ(job.commands(NodeCommand::kStartWorker).size(), 1u);
  EXPECT_EQ(job.state.recoveries.size(), 1u);
}

TEST(Training, KillsThePeerThatATimeoutBlames) {
  Scenario job;
  job.begin();
  job.fault(0, "timeout", 3);
  ASSERT_EQ(job.commands(NodeCommand::kKillWorker).size(), 1u);
  EXPECT_EQ(job.commands(NodeCommand::kKillWorker)[0].kill_worker().pid(), 1003);
  EXPECT_EQ(job.abort().rank(), 3);
  EXPECT_THAT(job.abort().reason(), HasSubstr("seen by rank 0"));
}

TEST(Training, WaitsForTheExitReportOfAPeerThatDied) {
  Scenario job;
  job.begin();
  job.fault(0, "peer died", 3);
  EXPECT_TRUE(job.last<Send>().empty());
  job.now += 0.4;
  job.die(3, 11);
  EXPECT_EQ(job.abort().reason(), "rank 3 died: signal 11 (Segmentation fault)");
  EXPECT_NEAR(job.state.recoveries[0].noticed_seconds, 0.4, 1e-9);
  job.wait(5);
  EXPECT_TRUE(job.commands(NodeCommand::kKillWorker).empty());
}

TEST(Training, KillsThePeerWhenItsExitIsNotReported) {
  Scenario job;
  job.begin();
  job.fault(0, "peer died", 3);
  job.wait(2.1);
  EXPECT_EQ(job.commands(NodeCommand::kKillWorker).size(), 1u);
  EXPECT_EQ(job.abort().rank(), 3);
}

TEST(Training, AbortsWithoutBlameWhenAMemberLeavesAndNobodyDied) {
  Scenario job;
  job.begin();
  job.train_to(4);
  job.fault(2, "aborted", -1);
  job.candidate(2, 4);
  EXPECT_TRUE(job.last<Send>().empty());
  job.wait(2.1);
  EXPECT_EQ(job.abort().rank(), kNobody);
  EXPECT_TRUE(job.commands(NodeCommand::kKillWorker).empty());
  for (const int rank : {0, 1, 3}) job.candidate(rank, 4);
  EXPECT_EQ(job.roster().generation(), 2u);
}

TEST(Training, CountsAnEarlyLeaverThatDiesOnce) {
  Scenario job;
  job.begin();
  job.candidate(2, 0);
  job.die(2);
  EXPECT_EQ(job.state.candidates, 0);
  job.rejoin(0, {2});
  EXPECT_EQ(job.roster().generation(), 2u);
}

TEST(Training, EndsTheJobWithTheCodeOfAWorkerThatFailed) {
  Scenario job;
  job.begin();
  protocol::FromWorker said;
  said.mutable_failed()->set_exit_code(14);
  said.mutable_failed()->set_step(9);
  said.mutable_failed()->set_message("the loss is not a number");
  said.mutable_failed()->set_help("lower the learning rate");
  job.say(2, said);
  EXPECT_EQ(job.commands(NodeCommand::kAbort).size(), 1u);
  EXPECT_EQ(job.commands(NodeCommand::kEndNode).size(), 1u);
  said.mutable_failed()->set_exit_code(6);
  job.say(1, said);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 14);
  EXPECT_EQ(job.ended().outcome, "failed");
  EXPECT_EQ(job.ended().first_cause, "rank 2: the loss is not a number");
  EXPECT_EQ(job.ended().help, "lower the learning rate");
}

TEST(Training, EndsTheJobWhenARankKeepsDyingAtOneStep) {
  Scenario job;
  job.begin();
  job.train_to(56);
  for (int time = 0; time < 3; ++time) {
    ASSERT_FALSE(job.state.verdict);
    job.die(2, 11);
    job.rejoin(56, {2});
  }
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 10);
  EXPECT_THAT(job.ended().first_cause, HasSubstr("step 57 failed 3 times in a row"));
  EXPECT_THAT(job.ended().first_cause, HasSubstr("rank 2 died: signal 11"));
  EXPECT_THAT(job.ended().first_cause, HasSubstr("the last words of rank 2"));
}

TEST(Training, EndsTheJobWhenAnyRankKeepsFailingTheSameWay) {
  Scenario job;
  job.begin();
  job.train_to(56);
  for (const int rank : {2, 0, 3}) {
    ASSERT_FALSE(job.state.verdict);
    job.die(rank, 0, 3);
    job.rejoin(56, {rank});
  }
  EXPECT_EQ(job.state.verdict->exit_code, 10);
}

TEST(Training, EndsTheJobWhenAStepHangsEachTime) {
  Scenario job;
  job.begin();
  job.train_to(9);
  for (int time = 0; time < 3; ++time) {
    ASSERT_FALSE(job.state.verdict);
    job.silent(1);
    job.die(1);
    job.rejoin(9, {1});
  }
  EXPECT_EQ(job.state.verdict->exit_code, 11);
}

TEST(Training, EndsTheJobWhenItKeepsDyingAtAStepAfterTheCheckpoint) {
  Scenario job(1, 1, 100, 50);
  job.begin();
  for (int time = 0; time < 3; ++time) {
    ASSERT_FALSE(job.state.verdict);
    job.train_to(56);
    job.die(0);
    job.rejoin(-1, {0});
  }
  EXPECT_EQ(job.state.verdict->exit_code, 10);
}

TEST(Training, GoesOnAsLongAsThereIsProgress) {
  Scenario job;
  job.begin();
  for (std::int64_t step = 1; step <= 20; ++step) {
    job.train_to(step);
    job.die(2, 11);
    job.rejoin(step, {2});
  }
  EXPECT_FALSE(job.state.verdict);
  EXPECT_EQ(job.state.generation, 21u);
}

TEST(Training, GoesOnWhenDifferentRanksAreKilled) {
  Scenario job;
  job.begin();
  for (const int rank : {0, 1, 2, 3, 0, 1}) {
    job.die(rank, 9);
    job.rejoin(0, {rank});
  }
  EXPECT_FALSE(job.state.verdict);
}

TEST(Training, KeepsRecoveriesForTheSummary) {
  Scenario job;
  job.begin();
  job.train_to(5);
  job.now += 1;
  job.die(2);
  job.now += 0.25;
  job.rejoin(5, {2});
  job.now += 0.5;
  job.restored();
  ASSERT_EQ(job.state.recoveries.size(), 1u);
  const Recovery& recovery = job.state.recoveries[0];
  EXPECT_EQ(recovery.rung, "replica");
  EXPECT_EQ(recovery.rank, 2);
  EXPECT_EQ(recovery.cause, "rank 2 died: signal 9 (Killed)");
  EXPECT_DOUBLE_EQ(recovery.noticed_seconds, 0);
  EXPECT_DOUBLE_EQ(recovery.resumed_seconds, 0.75);
  EXPECT_EQ(recovery.steps_lost, 0);
}

TEST(Training, CountsTheTimeThatAnExitReportWasOnItsWay) {
  Scenario job;
  job.begin();
  Event event;
  event.mutable_said()->set_node(1);
  event.mutable_said()->set_age_seconds(0.125);
  auto& exited = *event.mutable_said()->mutable_report()->mutable_worker_exited();
  exited.set_slot(1);
  exited.set_pid(1003);
  job.tell(event);
  ASSERT_EQ(job.state.recoveries.size(), 1u);
  EXPECT_DOUBLE_EQ(job.state.recoveries[0].noticed_seconds, 0.125);
}

}  // namespace
}  // namespace phalanx::control

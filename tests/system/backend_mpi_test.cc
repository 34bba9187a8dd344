// Jobs whose collectives Open MPI carries: the same numbers, and no process left behind.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

const std::string kMpi = "--launch.backend=mpi";

TEST(BackendMpi, GivesTheBitsOfTheBackendNative) {
  Workshop workshop;
  LiveRun native(workshop, "native");
  EXPECT_EQ(native.wait(), 0) << native.console();
  LiveRun mpi(workshop, "mpi", {kMpi});
  EXPECT_EQ(mpi.wait(), 0) << mpi.console();
  expect_equal(mpi, native);
  LiveRun two(workshop, "two", {kMpi, "--launch.ranks_per_node=2", "--launch.emulate_nodes=2"});
  EXPECT_EQ(two.wait(), 0) << two.console();
  expect_equal(two, native);
  expect_nothing_left(workshop);
}

TEST(BackendMpi, GoesOnInNewProcessesFromTheCheckpointWhenAWorkerIsKilled) {
  Workshop workshop;
  const Arguments longer = {"--train.steps=400", "--checkpoint.every=20"};
  LiveRun reference(workshop, "reference", longer);
  EXPECT_EQ(reference.wait(), 0) << reference.console();

  LiveRun run(workshop, "run", {kMpi, longer[0], longer[1]});
  ASSERT_TRUE(run.await_event("checkpoint_committed"));
  const auto before = run.training_workers();
  ASSERT_EQ(before.size(), 4u);
  ::kill(before[2].pid, SIGKILL);
  ASSERT_TRUE(run.await_event("generation_formed", 2));
  EXPECT_EQ(run.wait(), 0) << run.console();
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 400);
  const auto recoveries = run.summary()["recoveries"];
  ASSERT_EQ(recoveries.size(), 1u) << recoveries;
  EXPECT_EQ(recoveries[0]["rung"], "checkpoint");
  EXPECT_EQ(recoveries[0]["rank"], 2);
  expect_nothing_left(workshop);
}

TEST(BackendMpi, StoppedBySigtermSavesAndGoesOnWithTheSameBits) {
  Workshop workshop;
  const std::string longer = "--train.steps=400";
  LiveRun reference(workshop, "reference", {longer});
  EXPECT_EQ(reference.wait(), 0) << reference.console();
  {
    LiveRun stopped(workshop, "run", {kMpi, longer});
    ASSERT_TRUE(stopped.await_step(10));
    stopped.signal(SIGTERM);
    EXPECT_EQ(stopped.wait(), 75) << stopped.console();
  }
  LiveRun resumed(workshop, "run", {kMpi, longer});
  EXPECT_EQ(resumed.wait(), 0) << resumed.console();
  expect_equal(resumed, reference);
  expect_nothing_left(workshop);
}

TEST(BackendMpi, GoesOnFromTheCheckpointWhenMpirunIsKilled) {
  Workshop workshop;
  const Arguments longer = {"--train.steps=400", "--checkpoint.every=20"};
  LiveRun reference(workshop, "reference", longer);
  EXPECT_EQ(reference.wait(), 0) << reference.console();
  LiveRun run(workshop, "run", {kMpi, longer[0], longer[1]});
  ASSERT_TRUE(run.await_event("checkpoint_committed"));
  const pid_t mpirun = run.find("mpirun");
  ASSERT_NE(mpirun, 0);
  ::kill(mpirun, SIGKILL);
  ASSERT_TRUE(run.await_event("generation_formed", 2));
  EXPECT_EQ(run.wait(), 0) << run.console();
  expect_equal(run, reference);
  expect_no_step_lost_or_doubled(run, 1, 400);
  expect_nothing_left(workshop);
}

TEST(BackendMpi, StoppedByCtrlCSavesAndEndsWith130) {
  Workshop workshop;
  LiveRun run(workshop, "run", {kMpi, "--train.steps=100000"});
  ASSERT_TRUE(run.await_step(5));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(), 130) << run.console();
  EXPECT_EQ(run.summary()["outcome"], "stopped");
  EXPECT_EQ(final_state(run)["step"], run.last_step());
  expect_nothing_left(workshop);
}

TEST(BackendMpi, EndsAtOnceByTwoCtrlCAlsoWhenARankIsStuck) {
  Workshop workshop;
  LiveRun run(workshop, "run", {kMpi, "--train.steps=100000"});
  const auto workers = run.training_workers();
  ASSERT_EQ(workers.size(), 4u);
  ::kill(workers[1].pid, SIGSTOP);  // so that saving would take long
  run.signal(SIGINT);
  ASSERT_TRUE(run.await_event("stop_requested"));
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(8), 130) << run.console();
  expect_nothing_left(workshop);
}

TEST(BackendMpi, WhatAKilledRunHasLeftIsRemovedByTheNext) {
  Workshop workshop;
  {
    LiveRun killed(workshop, "killed", {kMpi, "--train.steps=100000"});
    ASSERT_TRUE(killed.await_step(5));
    killed.signal(SIGKILL);
    EXPECT_EQ(killed.wait(), 128 + SIGKILL);
    ASSERT_TRUE(await([&] { return workshop.processes().empty(); }, 10));
  }
  LiveRun next(workshop, "next", {kMpi});
  EXPECT_EQ(next.wait(), 0) << next.console();
  expect_nothing_left(workshop);
}

TEST(BackendMpi, LeavesNothingBehindWhenTheKeeperIsKilled) {
  Workshop workshop;
  LiveRun run(workshop, "run", {kMpi, "--train.steps=100000"});
  ASSERT_TRUE(run.await_step(5));
  ::kill(run.keeper(0), SIGKILL);
  EXPECT_EQ(run.wait(), 12) << run.console();
  expect_nothing_left(workshop);
}

}  // namespace
}  // namespace phalanx::system_test

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

using protocol::NodeCommand;
using testing::HasSubstr;

// A job of 100 steps whose workers have finished at `step`, with shards on disk.
void finish_at(Scenario& job, std::int64_t step) {
  job.all_save(step);
  job.all_finish(step);
}

Scenario begun(std::int64_t steps = 100) {
  Scenario job(2, 2, steps);
  job.begin();
  job.train_to(100);
  return job;
}

TEST(Ending, IsDoneWhenAllHaveFinishedAndTheFinalStateIsCommitted) {
  Scenario job = begun();
  finish_at(job, 100);
  EXPECT_TRUE(job.commands(NodeCommand::kEndNode).empty());
  job.committed(100);
  ASSERT_EQ(job.commands(NodeCommand::kEndNode).size(), 1u);
  job.node_ended(0);
  EXPECT_FALSE(job.has_ended());
  job.node_ended(1);
  EXPECT_EQ(job.ended().exit_code, 0);
  EXPECT_EQ(job.ended().outcome, "done");
  EXPECT_EQ(job.ended().first_cause, "");
}

TEST(Ending, FailsWithStorageWhenTheFinalStateCouldNotBeSaved) {
  Scenario job = begun();
  for (const int rank : {0, 1, 2}) job.shard(rank, 100);
  job.save_failed(3, 100);
  job.all_finish(100);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 7);
  EXPECT_EQ(job.ended().outcome, "failed");
  EXPECT_EQ(job.ended().first_cause,
            "the final state was not saved: step 100: No space left on device");
}

TEST(Ending, FailsWithStorageWhenTheFinalCommitFails) {
  Scenario job = begun();
  finish_at(job, 100);
  job.commit_failed(100);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 7);
}

TEST(Ending, ADeathAfterAllHaveFinishedChangesNothing) {
  Scenario job = begun();
  finish_at(job, 100);
  job.die(2);
  EXPECT_TRUE(job.last<Send>().empty());
  job.committed(100);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 0);
}

TEST(Ending, ADeathBeforeAllHaveFinishedIsRecovered) {
  Scenario job = begun();
  for (const int rank : {0, 1, 2}) job.shard(rank, 100);
  for (const int rank : {0, 1, 2}) job.finished(rank, 100);
  job.die(3);
  EXPECT_EQ(job.abort().generation(), 1u);
  job.rejoin(100, {3});
  EXPECT_EQ(job.roster().step(), 100);
  finish_at(job, 100);
  job.committed(100);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 0);
}

struct StopCase {
  StopRequest::Why why;
  int saved, unsaved;
  const char* outcome;
};

class Stopping : public testing::TestWithParam<StopCase> {};

TEST_P(Stopping, SavesAndEnds) {
  Scenario job = begun(1000);
  job.stop(GetParam().why);
  EXPECT_EQ(job.commands(NodeCommand::kStop).size(), 1u);
  job.stop(GetParam().why);
  EXPECT_TRUE(job.commands(NodeCommand::kStop).empty());
  finish_at(job, 101);
  job.committed(101);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, GetParam().saved);
  EXPECT_EQ(job.ended().outcome, GetParam().outcome);
}

TEST_P(Stopping, SaysWhenTheSaveFailed) {
  Scenario job = begun(1000);
  job.stop(GetParam().why);
  finish_at(job, 101);
  job.commit_failed(101);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, GetParam().unsaved);
  EXPECT_EQ(job.ended().outcome, "stopped");
}

TEST_P(Stopping, EndsUnsavedAtTheDeadline) {
  Scenario job = begun(1000);
  job.stop(GetParam().why);
  job.wait(59);
  EXPECT_FALSE(job.state.verdict);
  job.wait(2);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, GetParam().unsaved);
}

TEST_P(Stopping, RecoversOnceFromADeathSoThatTheSaveCanBeMade) {
  Scenario job = begun(1000);
  job.stop(GetParam().why);
  job.die(1);
  EXPECT_EQ(job.abort().generation(), 1u);
  job.rejoin(100, {1});
  EXPECT_EQ(job.roster().generation(), 2u);
  EXPECT_EQ(job.commands(NodeCommand::kStop).size(), 1u);
  job.die(2);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, GetParam().unsaved);
}

TEST_P(Stopping, DuringARecoveryStopsTheNextGeneration) {
  Scenario job = begun(1000);
  job.die(1);
  job.stop(GetParam().why);
  EXPECT_TRUE(job.last<Send>().empty());
  job.rejoin(100, {1});
  EXPECT_EQ(job.commands(NodeCommand::kStop).size(), 1u);
  finish_at(job, 100);
  job.committed(100);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, GetParam().saved);
}

TEST_P(Stopping, BeforeTheFirstGenerationEndsAtOnce) {
  Scenario job;
  job.all_ready();
  job.stop(GetParam().why);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, GetParam().saved);
  EXPECT_EQ(job.ended().outcome, GetParam().outcome);
}

INSTANTIATE_TEST_SUITE_P(Wishes, Stopping,
                         testing::Values(StopCase{StopRequest::CANCELLED, 0, 7, "cancelled"},
                                         StopCase{StopRequest::INTERRUPTED, 130, 130, "stopped"},
                                         StopCase{StopRequest::TERMINATED, 75, 76, "stopped"}),
                         [](const auto& info) { return StopRequest::Why_Name(info.param.why); });

TEST(Ending, AStopThatComesWithTheLastStepIsDone) {
  Scenario job = begun();
  job.stop(StopRequest::CANCELLED);
  finish_at(job, 100);
  job.committed(100);
  job.end_nodes();
  EXPECT_EQ(job.ended().outcome, "done");
}

TEST(Ending, NowDoesNotSave) {
  Scenario job = begun(1000);
  job.stop(StopRequest::INTERRUPTED);
  job.stop(StopRequest::NOW);
  const auto ends = job.commands(NodeCommand::kEndNode);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].end_node().grace_seconds(), 0);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 130);
}

TEST(Ending, DoesNotWaitForNodesForEver) {
  Scenario job = begun(1000);
  job.stop(StopRequest::NOW);
  job.node_ended(0);
  job.wait(9);
  EXPECT_FALSE(job.has_ended());
  job.wait(2);
  EXPECT_TRUE(job.has_ended());
  EXPECT_EQ(job.events("node_left_behind").size(), 1u);
  EXPECT_EQ(next_deadline(job.state), kNever);
}

TEST(Ending, ALostNodeEndsTheJob) {
  Scenario job = begun(1000);
  Event event;
  event.mutable_node_lost()->set_node(1);
  event.mutable_node_lost()->set_how("its keeper died: signal 9");
  job.tell(event);
  EXPECT_EQ(job.commands(NodeCommand::kEndNode).size(), 1u);
  job.node_ended(0);
  EXPECT_EQ(job.ended().exit_code, 12);
  EXPECT_EQ(job.ended().first_cause, "node 1 (node1) is lost: its keeper died: signal 9");
  EXPECT_EQ(job.ended().help, "run the job again: without a checkpoint it begins from the start");
}

// What to do names the newest checkpoint if there is one, and claims none otherwise.
TEST(Ending, OfADivergedJobNamesTheCheckpointFromBefore) {
  for (const bool saved : {false, true}) {
    Scenario job = begun(1000);
    if (saved) {
      job.train_to(10);
      job.all_save(10);
      job.committed(10);
    }
    protocol::FromWorker report;
    report.mutable_failed()->set_exit_code(14);
    report.mutable_failed()->set_help("lower the rate");
    job.say(1, report);
    job.end_nodes();
    EXPECT_EQ(job.ended().help,
              saved ? "lower the rate; the newest checkpoint, of step 10, is from before it"
                    : "lower the rate");
  }
}

TEST(Ending, ADaemonThatDiedAndWasStartedAgainIsAnEvent) {
  Scenario job = begun(1000);
  for (const int starts : {1, 2}) {
    protocol::NodeReport report;
    auto& started = *report.mutable_daemon_started();
    started.set_name("nursery");
    started.set_starts(starts);
    started.set_previous_death("signal 9 (Killed)");
    job.report(1, report);
    EXPECT_EQ(job.events("nursery_restarted").size(), starts == 1 ? 0u : 1u);
  }
  EXPECT_EQ(job.events("nursery_restarted")[0].reason, "signal 9 (Killed)");
}

TEST(Ending, AFailedNodeEndsTheJobWithItsCode) {
  Scenario job = begun(1000);
  protocol::NodeReport report;
  report.mutable_node_failed()->set_exit_code(15);
  report.mutable_node_failed()->set_message("no memory for a generation");
  job.report(1, report);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 15);
  EXPECT_THAT(job.ended().first_cause, HasSubstr("node 1 (node1): no memory"));
}

Event attachment(int node, bool attached) {
  Event event;
  if (attached)
    event.mutable_attached()->set_node(node);
  else
    event.mutable_detached()->set_node(node);
  return event;
}

TEST(Ending, AnAgentThatComesBackInTimeIsNoLoss) {
  Scenario job = begun(1000);
  job.tell(attachment(1, false));
  job.wait(9);
  job.tell(attachment(1, true));
  job.wait(100);
  EXPECT_FALSE(job.state.verdict);
}

TEST(Ending, AnAgentThatStaysAwayIsALostNode) {
  Scenario job = begun(1000);
  job.tell(attachment(1, false));
  job.wait(10.1);
  EXPECT_EQ(job.state.verdict->exit_code, 12);
  job.node_ended(0);
  EXPECT_TRUE(job.has_ended());
}

TEST(Ending, ARestartedControllerGivesEveryAgentTimeToComeBack) {
  Scenario job = begun(1000);
  job.die(1);
  job.now += 30;  // away for longer than the survivors have
  Event event;
  event.mutable_restarted();
  job.tell(event);
  EXPECT_TRUE(job.commands(NodeCommand::kKillWorker).empty());
  job.tell(attachment(0, true));
  job.tell(attachment(1, true));
  job.rejoin(100, {1});
  EXPECT_EQ(job.roster().generation(), 2u);
  job.wait(100);
  EXPECT_FALSE(job.state.verdict);
}

}  // namespace
}  // namespace phalanx::control

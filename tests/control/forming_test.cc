#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

using protocol::NodeCommand;
using protocol::Roster;

TEST(Forming, StartsAWorkerInEverySlotOfANodeThatIsReady) {
  Scenario job(2, 3);
  protocol::NodeReport ready;
  ready.mutable_node_ready()->set_node(1);
  job.report(1, ready);
  EXPECT_EQ(job.commands(NodeCommand::kStartWorker).size(), 3u);
  for (const Send& send : job.last<Send>()) EXPECT_EQ(send.node, 1);
  job.report(1, ready);
  EXPECT_TRUE(job.last<Send>().empty());
}

TEST(Forming, SendsTheFirstRosterWhenEverySlotHasACandidate) {
  Scenario job(2, 2);
  job.all_ready();
  for (const int rank : {3, 0, 2}) {
    job.start_worker(rank);
    job.candidate(rank);
    EXPECT_TRUE(job.commands(NodeCommand::kRoster).empty());
  }
  job.start_worker(1);
  job.candidate(1);
  const Roster roster = job.roster();
  EXPECT_EQ(roster.generation(), 1u);
  EXPECT_EQ(roster.source(), Roster::START);
  EXPECT_EQ(roster.step(), 0);
  ASSERT_EQ(roster.places_size(), 4);
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(roster.places(rank).rank(), rank);
    EXPECT_EQ(roster.places(rank).node(), rank / 2);
    EXPECT_EQ(roster.places(rank).slot(), rank % 2);
    EXPECT_EQ(roster.places(rank).port(), 5000u + static_cast<unsigned>(rank));
    EXPECT_EQ(roster.places(rank).held_step(), -1);
  }
  EXPECT_EQ(job.last<Send>().back().node, kAllNodes);
}

TEST(Forming, WaitsForTheClaimOfTheGeneration) {
  State state;
  Event event;
  event.mutable_begin()->set_nodes(1);
  event.mutable_begin()->set_slots_per_node(1);
  event.mutable_begin()->set_last_generation(4);
  const auto actions = decide(state, event, 0);
  ASSERT_EQ(std::get<ClaimGeneration>(actions.back()).generation, 5u);
  event.Clear();
  event.mutable_said()->set_node(0);
  event.mutable_said()->mutable_report()->mutable_node_ready();
  decide(state, event, 0);
  event.mutable_said()->mutable_report()->mutable_worker_started()->set_pid(7);
  decide(state, event, 0);
  auto& said = *event.mutable_said()->mutable_report()->mutable_worker_report();
  said.set_pid(7);
  said.mutable_report()->mutable_candidate()->set_held_step(-1);
  EXPECT_TRUE(decide(state, event, 0).empty());
  event.Clear();
  event.mutable_claimed()->set_generation(5);
  bool sent = false;
  for (const Action& action : decide(state, event, 0))
    if (const auto* send = std::get_if<Send>(&action))
      sent = send->command->roster().generation() == 5;
  EXPECT_TRUE(sent);
}

TEST(Forming, EndsTheJobWhenAnotherControllerHasTheGeneration) {
  Scenario job;
  job.all_ready();
  Event event;
  event.mutable_claim_refused()->set_generation(1);
  event.mutable_claim_refused()->set_exit_code(5);
  event.mutable_claim_refused()->set_message("another controller has begun generation 1");
  job.tell(event);
  EXPECT_EQ(job.commands(NodeCommand::kEndNode).size(), 1u);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 5);
}

TEST(Forming, BeginsFromTheCheckpointThatTheAttemptResumes) {
  Scenario job(1, 2, 100, 50);
  job.begin();
  EXPECT_EQ(job.roster().source(), Roster::CHECKPOINT);
  EXPECT_EQ(job.roster().step(), 50);
  EXPECT_EQ(job.roster().checkpoint(), "checkpoints/resume");
  EXPECT_TRUE(job.last<RecordStep>().empty());
  job.step(51);
  EXPECT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_DOUBLE_EQ(job.last<RecordStep>()[0].tokens_per_second, 2000);
}

TEST(Forming, TakesTheNewestStateThatAnySurvivorHolds) {
  Scenario job;
  job.begin();
  job.train_to(7);
  job.die(3);
  job.start_worker(3);
  job.candidate(3);
  job.candidate(0, 7);
  job.candidate(1, 8);
  job.candidate(2, 8);
  const Roster roster = job.roster();
  EXPECT_EQ(roster.generation(), 2u);
  EXPECT_EQ(roster.source(), Roster::REPLICA);
  EXPECT_EQ(roster.step(), 8);
  EXPECT_EQ(roster.source_rank(), 1);
  EXPECT_EQ(roster.places(0).held_step(), 7);
  EXPECT_EQ(roster.places(3).held_step(), -1);
}

TEST(Forming, TakesAStateFromSurvivorsOnlyIfTheyHoldAllPartsOfIt) {
  struct Case {
    int pipeline, expert, tensor;
    bool sharded;
    std::vector<int> dead;
    Roster::Source source;
  };
  const Case cases[] = {
      {1, 1, 2, false, {3}, Roster::REPLICA},       {1, 1, 2, false, {2, 3}, Roster::REPLICA},
      {1, 1, 2, false, {1, 3}, Roster::CHECKPOINT}, {2, 1, 1, false, {1, 2}, Roster::REPLICA},
      {2, 1, 1, false, {0, 1}, Roster::CHECKPOINT}, {2, 1, 2, false, {0}, Roster::CHECKPOINT},
      {1, 2, 1, false, {0, 3}, Roster::REPLICA},    {1, 2, 1, false, {0, 2}, Roster::CHECKPOINT},
      {1, 2, 2, false, {0}, Roster::CHECKPOINT},    {1, 1, 1, true, {0}, Roster::CHECKPOINT},
  };
  for (const auto& c : cases) {
    Scenario job;
    job.begin();
    job.state.sharing.set_pipeline_ranks(c.pipeline);
    job.state.sharing.set_expert_ranks(c.expert);
    job.state.sharing.set_tensor_ranks(c.tensor);
    job.state.sharing.set_sharded(c.sharded);
    job.train_to(50);
    job.all_save(50);
    job.committed(50);
    job.train_to(57);
    for (const int rank : c.dead) job.die(rank);
    job.rejoin(57, c.dead);
    EXPECT_EQ(job.roster().source(), c.source)
        << c.pipeline << " x " << c.expert << " x " << c.tensor;
    EXPECT_EQ(job.roster().step(), c.source == Roster::REPLICA ? 57 : 50);
  }
}

TEST(Forming, WritesDownAStepWhoseReporterDiedBeforeItCouldReport) {
  Scenario job;
  job.begin();
  job.train_to(7);
  job.die(0);
  job.rejoin(8, {0});
  ASSERT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_EQ(job.last<RecordStep>()[0].step.step(), 8);
  EXPECT_EQ(job.last<RecordStep>()[0].step.generation(), 1u);
  EXPECT_EQ(job.state.recoveries[0].steps_lost, 0);
}

TEST(Forming, GoesBackToTheNewestCheckpointWhenNobodyHoldsState) {
  Scenario job;
  job.begin();
  job.train_to(50);
  job.all_save(50);
  job.committed(50);
  job.train_to(57);
  for (int rank = 0; rank < 4; ++rank) job.die(rank);
  job.rejoin(-1, {0, 1, 2, 3});
  EXPECT_EQ(job.roster().source(), Roster::CHECKPOINT);
  EXPECT_EQ(job.roster().step(), 50);
  EXPECT_EQ(job.roster().checkpoint(), "checkpoints/50");
  EXPECT_EQ(job.state.recoveries[0].rung, "checkpoint");
  EXPECT_EQ(job.state.recoveries[0].steps_lost, 7);
  job.step(51);
  ASSERT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_EQ(job.last<RecordStep>()[0].step.generation(), 2u);
}

TEST(Forming, WaitsForACommitThatMayBeTheNewestState) {
  Scenario job;
  job.begin();
  job.train_to(50);
  job.all_save(50);
  for (int rank = 0; rank < 4; ++rank) job.die(rank);
  job.rejoin(-1, {0, 1, 2, 3});
  EXPECT_TRUE(job.commands(NodeCommand::kRoster).empty());
  job.committed(50);
  EXPECT_EQ(job.roster().step(), 50);
}

TEST(Forming, BeginsAgainWhenThereIsNeitherReplicaNorCheckpoint) {
  Scenario job;
  job.begin();
  job.train_to(3);
  for (int rank = 0; rank < 4; ++rank) job.die(rank);
  job.rejoin(-1, {0, 1, 2, 3});
  EXPECT_EQ(job.roster().source(), Roster::START);
  EXPECT_EQ(job.roster().step(), 0);
  EXPECT_EQ(job.state.recoveries[0].steps_lost, 3);
}

TEST(Forming, KillsAndReplacesSurvivorsThatAreNotBackInTime) {
  Scenario job;
  job.begin();
  job.train_to(5);
  job.die(3);
  job.start_worker(3);
  for (const int rank : {0, 2}) job.candidate(rank, 5);
  job.candidate(3);
  job.wait(9.9);
  EXPECT_TRUE(job.last<Send>().empty());
  job.wait(0.2);
  const auto kills = job.commands(NodeCommand::kKillWorker);
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(job.last<Send>()[0].node, 0);
  EXPECT_EQ(kills[0].kill_worker().slot(), 1);
  job.die(1);
  EXPECT_EQ(job.commands(NodeCommand::kStartWorker).size(), 1u);
  job.start_worker(1);
  job.candidate(1);
  EXPECT_EQ(job.roster().step(), 5);
}

TEST(Forming, SurvivesDeathsAtEveryMomentOfForming) {
  Scenario job;
  job.begin();
  job.train_to(5);
  job.die(3);
  job.candidate(0, 5);
  job.die(0);  // as a candidate
  job.die(1);  // on its way back
  job.start_worker(3);
  job.die(3);  // before it said anything
  EXPECT_EQ(job.commands(NodeCommand::kStartWorker).size(), 1u);
  job.rejoin(5, {0, 1, 3});
  EXPECT_EQ(job.roster().generation(), 2u);
  EXPECT_EQ(job.roster().source_rank(), 2);
  EXPECT_EQ(job.state.recoveries.size(), 1u);
}

TEST(Forming, FormsAnotherGenerationWhenAMemberDiesWhileItRestores) {
  Scenario job;
  job.begin();
  job.train_to(5);
  job.die(3);
  job.rejoin(5, {3});
  job.die(2);
  EXPECT_EQ(job.abort().generation(), 2u);
  job.rejoin(5, {2});
  EXPECT_EQ(job.roster().generation(), 3u);
  job.restored();
  for (const Recovery& recovery : job.state.recoveries) {
    EXPECT_EQ(recovery.rung, "replica");
    EXPECT_GE(recovery.resumed_seconds, 0);
  }
}

TEST(Forming, IgnoresWhatAnEarlierProcessOfTheSlotSaid) {
  Scenario job;
  job.begin();
  job.die(3);
  job.start_worker(3);
  protocol::NodeReport late;
  late.mutable_worker_report()->set_slot(1);
  late.mutable_worker_report()->set_pid(1003);
  late.mutable_worker_report()->mutable_report()->mutable_candidate()->set_held_step(9);
  job.report(1, late);
  EXPECT_EQ(job.state.candidates, 0);
  protocol::NodeReport again;
  again.mutable_worker_exited()->set_slot(1);
  again.mutable_worker_exited()->set_pid(1003);
  EXPECT_TRUE(job.report(1, again).empty());
}

TEST(Forming, EndsTheJobWhenAWorkerEndsThreeTimesBeforeItCouldJoin) {
  Scenario job;
  job.all_ready();
  for (int time = 0; time < 3; ++time) {
    EXPECT_FALSE(job.state.verdict);
    job.start_worker(1);
    if (time == 1) job.candidate(1);
    job.die(1, 0, 127);
  }
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 10);
  EXPECT_THAT(job.ended().first_cause, testing::HasSubstr("rank 1 (node 0, slot 1) ended 3 times"));
  EXPECT_THAT(job.ended().first_cause, testing::HasSubstr("exit status 127"));
  EXPECT_THAT(job.ended().first_cause, testing::HasSubstr("the last words of rank 1"));
}

TEST(Forming, EndsTheJobWhenNodesDoNotReport) {
  Scenario job;
  job.wait(301);
  job.wait(20);
  EXPECT_EQ(job.ended().exit_code, 5);
  EXPECT_THAT(job.ended().first_cause, testing::HasSubstr("2 of 2 nodes"));
}

TEST(Forming, EndsTheJobWhenAWorkerIsNeverReadyAndNamesIt) {
  Scenario job;
  job.all_ready();
  for (const int rank : {0, 1, 3}) {
    job.start_worker(rank);
    job.candidate(rank);
  }
  job.wait(301);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 5);
  EXPECT_THAT(job.ended().first_cause, testing::HasSubstr("rank 2 (node 1, slot 0"));
}

}  // namespace
}  // namespace phalanx::control

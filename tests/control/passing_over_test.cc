#include "launcher/control/passing_over.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

using protocol::NodeCommand;
using protocol::Roster;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Trains with checkpoints at 50 and 60, and loses all workers at 67: generation 2 loads step 60.
void go_back_to_60(Scenario& job) {
  job.begin();
  for (const std::int64_t step : {50, 60}) {
    job.train_to(step);
    job.all_save(step);
    job.committed(step);
  }
  job.train_to(67);
  job.all_die();
  ASSERT_EQ(job.roster().checkpoint(), "checkpoints/60");
}

TEST(DamagedCheckpoint, IsNamedAndTheGenerationThatLoadsItEnds) {
  Scenario job;
  go_back_to_60(job);
  job.damaged(2, "checkpoints/60");
  ASSERT_EQ(job.events("checkpoint_passed_over").size(), 1u);
  const Record named = job.events("checkpoint_passed_over")[0];
  EXPECT_EQ(named.rank, 2);
  EXPECT_THAT(named.reason, HasSubstr("parameter t [0:8]: expected checksum a, found b"));
  EXPECT_EQ(std::get<std::string>(named.details[0].second), "checkpoints/60");
  EXPECT_EQ(job.abort().generation(), 2u);
  EXPECT_EQ(job.abort().rank(), kNobody);
  ASSERT_EQ(job.last<FindCheckpoint>().size(), 1u);
  EXPECT_THAT(job.last<FindCheckpoint>()[0].except, ElementsAre("checkpoints/60"));
  EXPECT_TRUE(job.commands(NodeCommand::kKillWorker).empty());
  job.damaged(3, "checkpoints/60");
  EXPECT_TRUE(job.last<FindCheckpoint>().empty());
  EXPECT_TRUE(job.last<Record>().empty());
}

TEST(DamagedCheckpoint, GivesWayToTheNextOlderOneInTheSameProcesses) {
  Scenario job;
  go_back_to_60(job);
  job.damaged(2, "checkpoints/60");
  job.rejoin(-1, {});
  EXPECT_TRUE(job.commands(NodeCommand::kRoster).empty());
  job.found(50);
  const Roster roster = job.roster();
  EXPECT_EQ(roster.generation(), 3u);
  EXPECT_EQ(roster.source(), Roster::CHECKPOINT);
  EXPECT_EQ(roster.checkpoint(), "checkpoints/50");
  EXPECT_EQ(roster.step(), 50);
  EXPECT_TRUE(job.commands(NodeCommand::kStartWorker).empty());
  job.step(51);
  ASSERT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_EQ(job.state.recorded_step(), 51);
}

TEST(DamagedCheckpoint, OfWhichARankHasLoadedEveryPartIsTakenFromThatRank) {
  Scenario job;
  go_back_to_60(job);
  job.damaged(2, "checkpoints/60");
  for (const int rank : {0, 2, 3}) job.candidate(rank);
  job.candidate(1, 60);
  EXPECT_EQ(job.roster().source(), Roster::REPLICA);
  EXPECT_EQ(job.roster().source_rank(), 1);
  EXPECT_EQ(job.roster().step(), 60);
}

TEST(DamagedCheckpoint, ThatTheAttemptBeginsFromGivesWayToOneOfAnEarlierStep) {
  Scenario job(1, 2, 100, 50);
  job.begin();
  job.damaged(0, "checkpoints/resume");
  job.rejoin(-1, {});
  job.found(30);
  EXPECT_EQ(job.roster().step(), 30);
  EXPECT_EQ(job.state.recoveries[0].rung, "checkpoint");
  EXPECT_EQ(job.state.recoveries[0].steps_lost, 20);
  job.step(31);
  ASSERT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_DOUBLE_EQ(job.last<RecordStep>()[0].tokens_per_second, 2000);
}

TEST(DamagedCheckpoint, AfterAnotherEndsTheJobWith13AndAllOfThemWhenNoneIsLeft) {
  Scenario job;
  go_back_to_60(job);
  for (const std::int64_t step : {60, 50}) {
    job.damaged(1, "checkpoints/" + std::to_string(step));
    job.rejoin(-1, {});
    job.found(step == 60 ? 50 : -1);
  }
  EXPECT_EQ(job.commands(NodeCommand::kEndNode).size(), 1u);
  job.end_nodes();
  EXPECT_EQ(job.ended().exit_code, 13);
  EXPECT_THAT(job.ended().first_cause,
              AllOf(HasSubstr("passed over checkpoints/60: checkpoints/60/shard: parameter"),
                    HasSubstr("passed over checkpoints/50: checkpoints/50/shard: parameter")));
}

TEST(DamagedCheckpoint, OfManyStepsIsNoRankThatKeepsDying) {
  Scenario job;
  go_back_to_60(job);
  for (std::int64_t step = 60; step > 50; --step) {
    job.damaged(1, "checkpoints/" + std::to_string(step));
    job.rejoin(-1, {});
    job.found(step - 1);
    EXPECT_EQ(job.roster().step(), step - 1);
  }
  EXPECT_FALSE(job.state.verdict);
}

TEST(DamagedCheckpoint, ThatIsSavedAgainIsGoodAgain) {
  Scenario job;
  go_back_to_60(job);
  job.damaged(1, "checkpoints/60");
  job.rejoin(-1, {});
  job.found(50);
  job.train_to(60);
  job.all_save(60);
  job.committed(60);
  job.all_die();
  EXPECT_EQ(job.roster().checkpoint(), "checkpoints/60");
  job.damaged(1, "checkpoints/60");
  EXPECT_EQ(job.events("checkpoint_passed_over").size(), 1u);
}

TEST(DamagedCheckpoint, IsLookedForAgainByAControllerThatCameBack) {
  Scenario job;
  go_back_to_60(job);
  job.damaged(1, "checkpoints/60");
  const auto actions = unanswered(job.state);
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_THAT(std::get<FindCheckpoint>(actions[0]).except, ElementsAre("checkpoints/60"));
}

TEST(DamagedCheckpoint, OfAnEarlierGenerationIsOldNews) {
  Scenario job;
  go_back_to_60(job);
  protocol::FromWorker late;
  late.mutable_checkpoint_damaged()->set_generation(1);
  late.mutable_checkpoint_damaged()->mutable_checkpoint()->set_directory("checkpoints/60");
  EXPECT_TRUE(job.say(1, late).empty());
}

}  // namespace
}  // namespace phalanx::control

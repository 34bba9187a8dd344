#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/scenario.h"

namespace phalanx::control {
namespace {

TEST(Saving, CommitsWhenEveryRankHasSaved) {
  Scenario job;
  job.begin();
  job.train_to(10);
  for (const int rank : {3, 1, 0}) {
    EXPECT_TRUE(job.shard(rank, 10).empty());
  }
  job.train_to(12);
  job.shard(2, 10);
  const auto commits = job.last<CommitCheckpoint>();
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0].step, 10);
  EXPECT_EQ(commits[0].generation, 1u);
  EXPECT_EQ(commits[0].samples, 100);
  EXPECT_EQ(commits[0].tokens, 10000);
  EXPECT_EQ(commits[0].shards,
            (std::vector<std::string>{"shard 0", "shard 1", "shard 2", "shard 3"}));
  job.committed(10);
  ASSERT_EQ(job.events("checkpoint_committed").size(), 1u);
  const auto details = job.events("checkpoint_committed")[0].details;
  EXPECT_THAT(details, testing::Contains(testing::Pair("stall_seconds", Record::Value(1.5))));
  EXPECT_EQ(job.state.checkpoint->step(), 10);
  EXPECT_TRUE(job.state.saves.empty());
}

TEST(Saving, SeveralStepsMayBeSavedAtOnce) {
  Scenario job;
  job.begin();
  job.train_to(20);
  for (const int rank : {0, 1, 2}) job.shard(rank, 10);
  for (const int rank : {0, 1, 2}) job.shard(rank, 20);
  job.shard(3, 10);
  EXPECT_EQ(job.last<CommitCheckpoint>()[0].step, 10);
  job.shard(3, 20);
  EXPECT_EQ(job.last<CommitCheckpoint>()[0].step, 20);
}

TEST(Saving, GoesOnTrainingWithoutACheckpointWhenARankCouldNotSave) {
  Scenario job;
  job.begin();
  job.train_to(10);
  job.shard(0, 10);
  job.save_failed(1, 10);
  ASSERT_EQ(job.events("checkpoint_failed").size(), 1u);
  EXPECT_EQ(job.events("checkpoint_failed")[0].rank, 1);
  job.save_failed(2, 10);
  EXPECT_TRUE(job.last<Record>().empty());
  job.shard(3, 10);
  EXPECT_TRUE(job.last<CommitCheckpoint>().empty());
  job.step(11);
  EXPECT_EQ(job.last<RecordStep>().size(), 1u);
  EXPECT_FALSE(job.state.checkpoint);
}

TEST(Saving, GoesOnTrainingWhenTheCommitFails) {
  Scenario job;
  job.begin();
  job.train_to(10);
  job.all_save(10);
  job.commit_failed(10);
  EXPECT_EQ(job.events("checkpoint_failed").size(), 1u);
  EXPECT_FALSE(job.state.checkpoint);
  job.step(11);
  EXPECT_EQ(job.last<RecordStep>().size(), 1u);
}

TEST(Saving, ANewGenerationAbandonsWhatIsNotSavedCompletely) {
  Scenario job;
  job.begin();
  job.train_to(10);
  for (const int rank : {0, 1, 2}) job.shard(rank, 10);
  job.die(3);
  job.rejoin(10, {3});
  EXPECT_EQ(job.events("checkpoint_abandoned").size(), 1u);
  protocol::FromWorker late;
  late.mutable_shard_saved()->set_generation(1);
  late.mutable_shard_saved()->set_step(10);
  EXPECT_TRUE(job.say(0, late).empty());
  job.all_save(10);
  ASSERT_EQ(job.last<CommitCheckpoint>().size(), 1u);
  EXPECT_EQ(job.last<CommitCheckpoint>()[0].generation, 2u);
  EXPECT_EQ(job.last<CommitCheckpoint>()[0].samples, 100);
}

TEST(Saving, TheLastShardMayComeWhileTheNextGenerationForms) {
  Scenario job;
  job.begin();
  job.train_to(10);
  for (const int rank : {0, 2, 3}) job.shard(rank, 10);
  job.die(3);
  job.shard(1, 10);
  EXPECT_EQ(job.last<CommitCheckpoint>().size(), 1u);
}

TEST(Saving, ARepeatedShardCountsOnce) {
  Scenario job;
  job.begin();
  job.train_to(10);
  for (int time = 0; time < 4; ++time) job.shard(0, 10);
  EXPECT_TRUE(job.last<CommitCheckpoint>().empty());
}

}  // namespace
}  // namespace phalanx::control

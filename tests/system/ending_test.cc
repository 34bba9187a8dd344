// A run that cannot go on says why, with an exit code of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(Ending, OfADivergedRunNamesStepRankPlaceAndSamples) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.optimizer.lr=1e30", "--train.lr_schedule.warmup=0"});
  EXPECT_EQ(run.wait(), 14) << run.console();
  const std::string cause = run.summary()["first_cause"];
  EXPECT_THAT(
      cause, ContainsRegex(
                 "rank [0-3]: step [0-9]+: .*(layers|norm|head|embedding|loss).*, samples [0-9]+"));
  EXPECT_EQ(run.summary()["exit_code"], 14);
  EXPECT_THAT(run.console(), HasSubstr(cause));
  expect_nothing_left(workshop);
}

TEST(Ending, OfAJobWithATypoNamesFileLineAndColumn) {
  Workshop workshop;
  std::ofstream(workshop.job(), std::ios::app) << "checkpiont: {every: 5}\n";
  LiveRun run(workshop, "run");
  EXPECT_EQ(run.wait(), 2);
  EXPECT_THAT(run.console(), ContainsRegex("job.yaml:[0-9]+:1:"));
  EXPECT_THAT(run.console(), HasSubstr("`checkpoint`"));
}

TEST(Ending, WithoutItsDataIs6) {
  Workshop workshop;
  std::filesystem::remove(workshop.path() / "train.tokens");
  LiveRun run(workshop, "run");
  EXPECT_EQ(run.wait(), 6);
  EXPECT_THAT(run.console(), HasSubstr("train.tokens"));
}

TEST(Ending, WithAForeignFileForItsTokensIs6) {
  Workshop workshop;
  std::ofstream(workshop.path() / "train.tokens") << std::string(100'000, 'x');
  LiveRun run(workshop, "run");
  EXPECT_EQ(run.wait(), 6);
  EXPECT_THAT(run.console(), HasSubstr("train.tokens"));
}

TEST(Ending, OfARankThatDiesAtOneStepEachTimeIs10AndNamesBoth) {
  Workshop workshop;
  // A step so long that it does not end before the kill.
  LiveRun run(workshop, "run", {"--train.global_batch=4096"});
  for (std::size_t death = 1; death <= 3; ++death) {
    ASSERT_TRUE(run.await_event("restored", death));
    const auto workers = run.training_workers();
    ASSERT_EQ(workers.size(), 4u);
    ::kill(workers[1].pid, SIGKILL);
  }
  EXPECT_EQ(run.wait(), 10) << run.console();
  const std::string cause = run.summary()["first_cause"];
  EXPECT_THAT(cause, HasSubstr("step 1 failed 3 times"));
  EXPECT_THAT(cause, HasSubstr("rank 1"));
  EXPECT_TRUE(run.checkpoints().empty()) << "of the beginning, which nobody needs";
  expect_nothing_left(workshop);
}

}  // namespace
}  // namespace phalanx::system_test

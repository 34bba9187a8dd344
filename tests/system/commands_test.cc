// The commands that take a run, at it and after it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using ::testing::HasSubstr;

TEST(StatusCommand, ShowsARunAtWorkAndOneThatIsOver) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=1000000", "--checkpoint.every=1000000"});
  ASSERT_TRUE(run.await_step(3));
  const auto living = run.status();
  EXPECT_EQ(living["phase"], "training");
  EXPECT_GE(living["step"], 3);
  EXPECT_EQ(living["steps"], 1000000);
  ASSERT_EQ(living["workers"].size(), 4u);
  for (const auto& worker : living["workers"])
    EXPECT_THAT(workshop.processes(),
                ::testing::Contains(::testing::Field(&Process::pid, worker["pid"].get<pid_t>())));
  run.signal(SIGINT);
  ASSERT_EQ(run.wait(), 130);
  const auto over = run.status();
  EXPECT_EQ(over["phase"], "ended");
  EXPECT_EQ(over["summary"]["exit_code"], 130);
}

TEST(StatusCommand, SaysThatAFolderHoldsNoRun) {
  const Workshop workshop;
  const auto outcome = workshop.phalanx({"status", workshop.path()});
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.errors, HasSubstr("expected the folder of a run"));
}

TEST(CancelCommand, SaysThatARunIsOver) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=2"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  const auto outcome = workshop.phalanx({"cancel", run.output()});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, HasSubstr("error: "));
}

TEST(GenerateCommand, ContinuesAPromptTheSameWayEachTime) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=300", "--checkpoint.every=300"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  const Arguments arguments = {"generate", run.checkpoints().back(), "--prompt=rank ",
                               "--tokens=24"};
  const auto first = workshop.phalanx(arguments), second = workshop.phalanx(arguments);
  ASSERT_EQ(first.code, 0) << first.errors;
  EXPECT_EQ(first.output, second.output);
  // It has learned the corpus' few words.
  EXPECT_THAT(first.output, ::testing::ContainsRegex("rank|step|and|marches|on|when|falls"));
  EXPECT_GE(first.output.size(), 24u);
}

}  // namespace
}  // namespace phalanx::system_test

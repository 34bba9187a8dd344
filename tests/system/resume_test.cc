// What a second `phalanx run` on an output does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

using ::testing::HasSubstr;

TEST(Resume, OfAFinishedRunSaysSo) {
  Workshop workshop;
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  const auto state = final_state(run);
  LiveRun again(workshop, "run");
  EXPECT_EQ(again.wait(), 0);
  EXPECT_THAT(again.console(), HasSubstr("finished already"));
  EXPECT_EQ(final_state(again), state);
  EXPECT_EQ(again.metrics().size(), 40u);
}

TEST(Resume, WithMoreStepsGoesOn) {
  Workshop workshop;
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  LiveRun more(workshop, "run", {"--train.steps=55", "--resume=must"});
  ASSERT_EQ(more.wait(), 0) << more.console();
  EXPECT_THAT(more.console(), HasSubstr("going on from step 40"));
  expect_no_step_lost_or_doubled(more, 1, 55);
  EXPECT_EQ(more.metrics().size(), 55u);
  EXPECT_EQ(final_state(more)["step"], 55);
}

TEST(Resume, OnAnotherLayoutGoesOn) {
  Workshop workshop;
  LiveRun run(workshop, "run");
  ASSERT_EQ(run.wait(), 0) << run.console();
  LiveRun more(workshop, "run",
               {"--train.steps=50", "--launch.ranks_per_node=1", "--launch.emulate_nodes=2"});
  ASSERT_EQ(more.wait(), 0) << more.console();
  EXPECT_EQ(more.summary()["environment"]["ranks"], 2);
  EXPECT_EQ(final_state(more)["step"], 50);
}

// How gradients travel is no part of what a run is: its state is the same, what follows is not.
TEST(Resume, WithAnotherTypeOnTheWireGoesOnFromTheSameState) {
  Workshop workshop;
  for (const std::string name : {"fp32", "bf16"}) {
    LiveRun run(workshop, name);
    ASSERT_EQ(run.wait(), 0) << run.console();
  }
  const auto goes_on_in = [&](const std::string& type) {
    LiveRun more(workshop, type, {"--train.steps=45", "--parallel.gradient_wire=" + type});
    EXPECT_EQ(more.wait(), 0) << more.console();
    return trajectory(more);
  };
  const auto before = goes_on_in("fp32"), after = goes_on_in("bf16");
  ASSERT_EQ(after.size(), 45u);
  EXPECT_EQ(after.at(40), before.at(40));
  EXPECT_EQ(after.at(41)["loss"], before.at(41)["loss"]);
  EXPECT_NE(after.at(41)["grad_norm"], before.at(41)["grad_norm"]);
  EXPECT_NE(after.at(45)["loss"], before.at(45)["loss"]);
  EXPECT_NEAR(after.at(45)["loss"], before.at(45)["loss"], 0.05);
}

TEST(Resume, MustGoOnButThereIsNothing) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--resume=must"});
  EXPECT_EQ(run.wait(), 13);
  EXPECT_THAT(run.console(), HasSubstr("expected a checkpoint"));
}

TEST(Resume, NeverRefusesAUsedOutput) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=2", "--resume=never"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  LiveRun again(workshop, "run", {"--train.steps=2", "--resume=never"});
  EXPECT_EQ(again.wait(), 2);
  EXPECT_THAT(again.console(), HasSubstr("holds a run already"));
}

TEST(Resume, OfAnotherJobIsRefusedByName) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=2"});
  ASSERT_EQ(run.wait(), 0) << run.console();
  const auto other_text = workshop.path() / "other";
  std::filesystem::create_directories(other_text);
  std::ofstream(other_text / "0.txt") << std::string(5000, 'x');
  const auto prepared = workshop.phalanx({"data", "prepare", other_text, "--output",
                                          workshop.path() / "other.tokens", "--pattern", "*.txt"});
  ASSERT_EQ(prepared.code, 0) << prepared.errors;
  for (const std::string change : {"seed", "model.width", "model.layers"}) {
    LiveRun changed(workshop, "run", {"--" + change + "=64", "--train.steps=4"});
    EXPECT_EQ(changed.wait(), 2) << changed.console();
    EXPECT_THAT(changed.console(), HasSubstr(change));
  }
  LiveRun moved(
      workshop, "run",
      {"--data.train.0.path=" + (workshop.path() / "other.tokens").string(), "--train.steps=4"});
  EXPECT_EQ(moved.wait(), 2) << moved.console();
  EXPECT_THAT(moved.console(), HasSubstr("data.train"));
}

TEST(Resume, IsRefusedWhileAnotherRunIsAtWork) {
  Workshop workshop;
  LiveRun run(workshop, "run", {"--train.steps=1000000", "--checkpoint.every=1000000"});
  ASSERT_TRUE(run.await_step(1));
  LiveRun second(workshop, "run");
  EXPECT_EQ(second.wait(), 2);
  EXPECT_THAT(second.console(), HasSubstr("another run is at work"));
  ASSERT_TRUE(run.await_step(run.last_step() + 1));
}

}  // namespace
}  // namespace phalanx::system_test

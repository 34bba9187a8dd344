// A run depends on nothing but its job.
#include <gtest/gtest.h>

#include "tests/system/run.h"

namespace phalanx::system_test {
namespace {

TEST(Reproducible, ASecondRunIsBitwiseEqualInLossesAndState) {
  Workshop workshop;
  LiveRun first(workshop, "first");
  EXPECT_EQ(first.wait(), 0) << first.console();
  LiveRun second(workshop, "second");
  EXPECT_EQ(second.wait(), 0) << second.console();
  expect_equal(second, first);
  EXPECT_EQ(trajectory(first).size(), 40u);
  EXPECT_LT(trajectory(first).at(40)["loss"], trajectory(first).at(1)["loss"]);
  expect_nothing_left(workshop);
}

TEST(Reproducible, FourRanksOnOneTwoOrFourNodesAreBitwiseEqual) {
  Workshop workshop;
  // Of seven samples the last rank has fewer than the others.
  const std::string uneven = "--train.global_batch=7";
  LiveRun one(workshop, "one", {uneven});
  EXPECT_EQ(one.wait(), 0) << one.console();
  LiveRun two(workshop, "two", {uneven, "--launch.ranks_per_node=2", "--launch.emulate_nodes=2"});
  EXPECT_EQ(two.wait(), 0) << two.console();
  LiveRun four(workshop, "four", {uneven, "--launch.ranks_per_node=1", "--launch.emulate_nodes=4"});
  EXPECT_EQ(four.wait(), 0) << four.console();
  expect_equal(two, one);
  expect_equal(four, one);
  expect_nothing_left(workshop);
}

// Time is compared with the least that is possible alone: a busy machine takes longer.
TEST(Reproducible, AnEmulatedLinkTakesTimeAndChangesNoBit) {
  Workshop workshop;
  const Arguments apart = {"--train.steps=8", "--launch.ranks_per_node=1",
                           "--launch.emulate_nodes=2"};
  LiveRun fast(workshop, "fast", apart);
  EXPECT_EQ(fast.wait(), 0) << fast.console();
  auto slowly = apart;
  slowly.push_back("--launch.emulate_link.bandwidth=0.02");  // 2.5 MB/s
  LiveRun slow(workshop, "slow", slowly);
  EXPECT_EQ(slow.wait(), 0) << slow.console();
  expect_equal(slow, fast);
  // Of each gradient a node sends half, and the sum of the other half.
  const auto plan = workshop.phalanx({"plan", workshop.job().string(), "--json"});
  const double bytes = Json::parse(plan.output)["parameters"].get<double>() * sizeof(float);
  EXPECT_GT(bytes, 100'000);
  for (const Json& step : slow.metrics())
    EXPECT_GE(step["seconds"].get<double>(), 0.95 * bytes / 2.5e6) << step;
}

TEST(Reproducible, AnotherSeedGivesAnotherRun) {
  Workshop workshop;
  LiveRun first(workshop, "first");
  EXPECT_EQ(first.wait(), 0) << first.console();
  LiveRun second(workshop, "second", {"--seed=4"});
  EXPECT_EQ(second.wait(), 0) << second.console();
  EXPECT_NE(trajectory(first).at(1)["loss"], trajectory(second).at(1)["loss"]);
  EXPECT_NE(final_state(first), final_state(second));
}

}  // namespace
}  // namespace phalanx::system_test

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/simulation/simulated_cluster.h"

namespace phalanx::simulation {
namespace {

struct Outcomes {
  std::map<int, int> codes;
  int deaths = 0;
  int generations = 0;
};

// Runs a job for each seed and expects that nothing happened that must never happen.
Outcomes run(ClusterOptions options, std::uint64_t first_seed, std::uint64_t seeds) {
  Outcomes outcomes;
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    options.seed = seed;
    SimulatedCluster cluster(options);
    cluster.run(2000);
    EXPECT_THAT(cluster.controller().violations(), testing::IsEmpty()) << "seed " << seed;
    if (testing::Test::HasFailure()) return outcomes;
    const control::Verdict verdict = *cluster.controller().verdict();
    ++outcomes.codes[verdict.exit_code];
    outcomes.deaths += cluster.deaths();
    outcomes.generations += cluster.generations();
    if (verdict.exit_code == 0) {
      EXPECT_EQ(cluster.controller().state().recorded_step(), options.steps) << "seed " << seed;
    }
  }
  for (const auto& [code, count] : outcomes.codes)
    testing::Test::RecordProperty(fmt::format("exit_code_{}", code), count);
  return outcomes;
}

TEST(Simulation, AJobWithoutFailuresIsDone) {
  ClusterOptions options;
  options.failures_until = 0;
  const Outcomes outcomes = run(options, 1, 50);
  EXPECT_EQ(outcomes.generations, 50);
}

TEST(Simulation, AJobIsDoneWhateverDies) {
  ClusterOptions options;
  options.steps = 100;
  options.failure_every = 4;
  const Outcomes outcomes = run(options, 1, 3000);
  EXPECT_GT(outcomes.deaths, 10000);
  EXPECT_GT(outcomes.codes.at(0), 2700);
  for (const auto& [code, count] : outcomes.codes)
    EXPECT_THAT(code, testing::AnyOf(0, 7, 10, 11, 13)) << count << " times";
}

TEST(Simulation, AJobIsDoneWhenFailuresComeFasterThanRecoveries) {
  ClusterOptions options;
  options.nodes = 4;
  options.slots = 1;
  options.failure_every = 0.4;
  run(options, 10000, 500);
}

TEST(Simulation, AJobOfOneWorkerGoesBackToItsCheckpoints) {
  ClusterOptions options;
  options.nodes = options.slots = 1;
  options.checkpoint_every = 3;
  run(options, 20000, 500);
}

TEST(Simulation, AJobGoesBackToTheNextOlderCheckpointWhenOneIsDamaged) {
  ClusterOptions options;
  options.steps = 60;
  options.checkpoint_every = 3;
  options.disk_damages = 0.4;
  options.all_die = 0.2;
  const Outcomes outcomes = run(options, 40000, 1000);
  EXPECT_GT(outcomes.codes.at(0), 500);
  EXPECT_GT(outcomes.codes.at(13), 5);
  for (const auto& [code, count] : outcomes.codes)
    EXPECT_THAT(code, testing::AnyOf(0, 7, 10, 11, 13)) << count << " times";
}

TEST(Simulation, NoProcessOutlivesItsGenerationWhereTheBackendCannotReForm) {
  ClusterOptions options;
  options.needs_new_processes = true;
  options.steps = 60;
  options.checkpoint_every = 5;
  options.failure_every = 5;
  const Outcomes outcomes = run(options, 50000, 500);
  EXPECT_GT(outcomes.deaths, 1000);
  EXPECT_GT(outcomes.codes.at(0), 400);
  for (const auto& [code, count] : outcomes.codes)
    EXPECT_THAT(code, testing::AnyOf(0, 7, 10, 11, 13)) << count << " times";
}

TEST(Simulation, AStopEndsTheJobWhateverDies) {
  ClusterOptions options;
  options.nodes = 3;
  options.steps = 100000;
  options.stop_at = 20;
  const Outcomes outcomes = run(options, 30000, 500);
  EXPECT_GT(outcomes.codes.at(75), 250);
}

TEST(Simulation, SixteenThousandRanksFitOneProcess) {
  ClusterOptions options;
  options.nodes = 2000;
  options.slots = 8;
  options.steps = 100;
  options.failure_every = 5;
  options.disk_fails = 0;
  SimulatedCluster cluster(options);
  cluster.run(2000);
  EXPECT_THAT(cluster.controller().violations(), testing::IsEmpty());
  ASSERT_TRUE(cluster.controller().verdict());
  EXPECT_EQ(cluster.controller().verdict()->exit_code, 0)
      << cluster.controller().verdict()->first_cause;
  const auto events = static_cast<double>(cluster.controller().events());
  fmt::print("{} deaths, {} generations, {} events; decide() takes {:.0f} a second\n",
             cluster.deaths(), cluster.generations(), events,
             events / seconds(cluster.controller().deciding()));
}

}  // namespace
}  // namespace phalanx::simulation

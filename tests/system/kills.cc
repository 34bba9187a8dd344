#include "tests/system/kills.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

namespace phalanx::system_test {

using std::chrono::milliseconds;

void AgainstReference::SetUp() {
  reference_.emplace(workshop, "reference", arguments_);
  ASSERT_EQ(reference_->wait(), 0) << reference_->console();
}

void AgainstReference::expect_the_same_end() {
  ASSERT_EQ(run_->wait(), 0) << run_->console();
  expect_equal(*run_, *reference_);
  expect_no_step_lost_or_doubled(*run_, 1, reference_->last_step());
  expect_nothing_left(workshop);
}

void strike(LiveRun& run, const std::vector<WorkerProcess>& workers,
            const std::vector<int>& ranks) {
  const std::size_t restored = run.events("restored").size();
  for (const int rank : ranks) ::kill(workers.at(static_cast<std::size_t>(rank)).pid, SIGKILL);
  if (!run.await_event("restored", restored + 1)) return;
  for (const auto& now : run.training_workers()) {
    const auto& before = workers.at(static_cast<std::size_t>(now.rank));
    const bool survived = now.pid == before.pid && now.start_time == before.start_time;
    EXPECT_EQ(survived, std::ranges::find(ranks, now.rank) == ranks.end()) << "rank " << now.rank;
  }
}

void expect_kills_change_nothing(unsigned seed, int kills) {
  constexpr int kSteps = 2500, kSaveEvery = 50;
  const Arguments arguments = {"--train.steps=" + std::to_string(kSteps),
                               "--checkpoint.every=" + std::to_string(kSaveEvery),
                               "--data.validation.every=5"};
  Workshop workshop;
  LiveRun reference(workshop, "reference", arguments);
  ASSERT_EQ(reference.wait(), 0) << reference.console();
  Chance chance(seed);
  // A fast machine comes near the end before all kills: then another run takes the rest.
  for (int struck = 0, number = 1; struck < kills; ++number) {
    LiveRun run(workshop, fmt::format("run-{}", number), arguments);
    std::size_t struck_here = 0;
    for (; struck < kills && run.last_step() < kSteps - 10 * kSaveEvery; ++struck, ++struck_here) {
      const auto workers = run.training_workers();
      ASSERT_EQ(workers.size(), 4u);
      if (struck % 2 == 0) {  // in a save, in the validation before it, or just after
        ASSERT_TRUE(run.await_step((run.last_step() / kSaveEvery + 1) * kSaveEvery));
        chance.let_pass(milliseconds(4));
      } else {
        chance.let_pass(milliseconds(20));
      }
      strike(run, workers, {chance.below(4)});
    }
    ASSERT_GT(struck_here, 0u);
    ASSERT_EQ(run.wait(), 0) << run.console();
    const auto recoveries = run.summary()["recoveries"];
    EXPECT_EQ(recoveries.size(), struck_here);
    for (const auto& recovery : recoveries) EXPECT_EQ(recovery["rung"], "replica");
    expect_equal(run, reference);
    expect_no_step_lost_or_doubled(run, 1, kSteps);
  }
  expect_nothing_left(workshop);
}

}  // namespace phalanx::system_test

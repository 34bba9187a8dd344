#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "tests/system/run.h"

namespace phalanx::system_test {

// Instants and ranks that a test strikes at, by a seed that is printed.
class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) { std::cout << "seed " << seed << '\n'; }
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  // Lets a random time below `limit` pass. Not a wait for anything: any instant is as good.
  void let_pass(std::chrono::microseconds limit) {
    const TimePoint end =
        Clock::now() + std::chrono::microseconds(below(static_cast<int>(limit.count())));
    while (Clock::now() < end) std::this_thread::yield();
  }

 private:
  std::mt19937 random_;
};

// Kills the workers of these ranks at once, waits until the job has gone on, and looks whether all
// others are the processes that they were.
inline void strike(LiveRun& run, const std::vector<WorkerProcess>& workers,
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

}  // namespace phalanx::system_test

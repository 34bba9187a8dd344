#pragma once

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
void strike(LiveRun& run, const std::vector<WorkerProcess>& workers, const std::vector<int>& ranks);

// A long run, with saves and validations in every volley, of which one worker after the
// other is killed, every other time near a save, ends as if nothing had happened.
void expect_kills_change_nothing(unsigned seed, int kills);

}  // namespace phalanx::system_test

#pragma once

#include <gtest/gtest.h>

#include <iostream>
#include <optional>
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

// A job that nobody disturbs, and the same job to be struck: they must come to the same.
class AgainstReference : public ::testing::Test {
 protected:
  // `arguments` are time enough to aim.
  explicit AgainstReference(Arguments arguments) : arguments_(std::move(arguments)) {}

  void SetUp() override;  // the undisturbed run, from start to end
  // Starts the other.
  LiveRun& start(const std::string& name = "run") {
    return run_.emplace(workshop, name, arguments_);
  }
  // It ends like the undisturbed one, with nothing lost, doubled or left behind.
  void expect_the_same_end();

  Workshop workshop;

 private:
  const Arguments arguments_;
  std::optional<LiveRun> reference_, run_;
};

// Kills the workers of these ranks at once, waits until the job has gone on, and looks whether all
// others are the processes that they were.
void strike(LiveRun& run, const std::vector<WorkerProcess>& workers, const std::vector<int>& ranks);

// Long runs, with saves and validations in every volley, of which one worker after the other is
// killed, `kills` in all, every other time near a save, end as if nothing had happened.
void expect_kills_change_nothing(unsigned seed, int kills);

}  // namespace phalanx::system_test

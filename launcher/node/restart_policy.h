#pragma once

#include <deque>
#include <optional>

#include "base/clock.h"

namespace phalanx::node {

// When a daemon that has died is started again: the first time at once, then after 0.1 s, 0.2 s,
// ... up to 5 s, counting the deaths of the last `memory`.
class RestartPolicy {
 public:
  // Gives up at the `most_deaths`-th death within `memory`; 0: never.
  RestartPolicy(int most_deaths, Duration memory) : most_deaths_(most_deaths), memory_(memory) {}

  // The moment of the next start; empty: give up.
  std::optional<TimePoint> after_death(TimePoint now);
  // It has done what it is for: its deaths so far are forgotten.
  void forget_deaths() { deaths_.clear(); }

 private:
  int most_deaths_;
  Duration memory_;
  std::deque<TimePoint> deaths_;
};

}  // namespace phalanx::node

#include "runtime/phase_clock.h"

#include <utility>

namespace phalanx::runtime {

void PhaseClock::enter(protocol::Phase phase) {
  settle(Clock::now());
  phase_ = phase;
  black_box_.phase.store(phase, std::memory_order_relaxed);
}

void PhaseClock::begin_step(std::int64_t step) {
  black_box_.step.store(step, std::memory_order_relaxed);
}

PhaseClock::Seconds PhaseClock::take() {
  settle(Clock::now());
  return std::exchange(seconds_, {});
}

void PhaseClock::settle(Clock::time_point now) {
  seconds_[static_cast<std::size_t>(phase_)] += phalanx::seconds(now - since_);
  since_ = now;
}

}  // namespace phalanx::runtime

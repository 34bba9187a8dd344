#include "runtime/phase_clock.h"

#include <utility>

namespace phalanx::runtime {

void PhaseClock::enter(protocol::Phase phase) {
  const auto now = Clock::now();
  settle(now);
  end_span(now);
  span_began_ = now;
  phase_ = phase;
  black_box_.phase.store(phase, std::memory_order_relaxed);
}

void PhaseClock::begin_step(std::int64_t step) {
  black_box_.step.store(step, std::memory_order_relaxed);
}

void PhaseClock::end_step() { end_span(Clock::now()); }

PhaseClock::Seconds PhaseClock::take() {
  settle(Clock::now());
  return std::exchange(seconds_, {});
}

void PhaseClock::settle(Clock::time_point now) {
  seconds_[static_cast<std::size_t>(phase_)] += phalanx::seconds(now - since_);
  since_ = now;
}

void PhaseClock::end_span(Clock::time_point now) {
  const auto began = std::exchange(span_began_, std::nullopt);
  if (!began || spans_ == nullptr || !spans_->recording()) return;
  const auto nanoseconds = [](Clock::time_point time) {
    return time.time_since_epoch() / std::chrono::nanoseconds(1);
  };
  spans_->add({black_box_.step.load(std::memory_order_relaxed), nanoseconds(*began),
               nanoseconds(now), phase_});
}

}  // namespace phalanx::runtime

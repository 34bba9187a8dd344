#pragma once

#include <array>
#include <optional>

#include "base/clock.h"
#include "protocol/black_box.h"
#include "protocol/span_ring.h"

namespace phalanx::runtime {

// Where a worker's time goes: at every moment it is in one phase, which its black box shows.
class PhaseClock {
 public:
  // Seconds by phase.
  using Seconds = std::array<double, protocol::kPhases>;

  // `black_box` and `spans`, which gets the phases while it records, outlive it.
  explicit PhaseClock(protocol::BlackBox& black_box, protocol::SpanRing* spans = nullptr)
      : black_box_(black_box), spans_(spans) {}

  // Leaves the phase of before.
  void enter(protocol::Phase phase);
  // The step being worked on, from 1.
  void begin_step(std::int64_t step);
  // What follows, until the next phase is entered, is no part of the step.
  void end_step();
  // The seconds of each phase since the last call (or the start), the present one's up to now.
  Seconds take();

 private:
  void settle(Clock::time_point now);
  void end_span(Clock::time_point now);

  protocol::BlackBox& black_box_;
  protocol::SpanRing* spans_;
  protocol::Phase phase_ = protocol::Phase::kStarting;
  Clock::time_point since_ = Clock::now();
  Seconds seconds_{};
  std::optional<Clock::time_point> span_began_;
};

}  // namespace phalanx::runtime

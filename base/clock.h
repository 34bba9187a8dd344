#pragma once

#include <chrono>
#include <string>

namespace phalanx {

// The one clock for durations and deadlines. Wall time is for what people read only.
using Clock = std::chrono::steady_clock;
using Duration = Clock::duration;
using TimePoint = Clock::time_point;

inline double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
inline Duration from_seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

// Milliseconds until `deadline` for poll(2), rounded up: 0 when it has passed, at most `INT_MAX`.
int poll_timeout(TimePoint deadline);

// The wall clock's now in seconds since the epoch (1970), to compare hosts roughly.
double wall_seconds();

// The wall clock's now as RFC 3339 in UTC with milliseconds: 2026-11-22T17:03:04.567Z.
std::string wall_time();

}  // namespace phalanx

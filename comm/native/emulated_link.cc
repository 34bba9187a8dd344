#include "comm/native/emulated_link.h"

#include <algorithm>

namespace phalanx::comm {
namespace {

// So far ahead a link is booked, and about so long one booking lasts: ranks take turns, and a rank
// that only waits for its link wakes a thousand times a second at most.
constexpr Duration kAhead = std::chrono::milliseconds(1);
constexpr double kFrame = 1500;  // bytes; less is not worth a booking

}  // namespace

EmulatedLink::Passage EmulatedLink::book(std::size_t bytes, TimePoint now) {
  const double most = std::max(kFrame, speed_.bytes_per_second * seconds(kAhead));
  const std::size_t taken = std::min(bytes, static_cast<std::size_t>(most));
  const auto lasts =
      static_cast<std::int64_t>(static_cast<double>(taken) * 1e9 / speed_.bytes_per_second);
  const std::int64_t present = std::chrono::nanoseconds(now.time_since_epoch()).count();
  const std::int64_t horizon = present + std::chrono::nanoseconds(kAhead).count();
  const auto at = [](std::int64_t time) { return TimePoint(std::chrono::nanoseconds(time)); };
  std::int64_t free = free_at_.load();
  while (true) {
    if (free > horizon) return {0, at(free - std::chrono::nanoseconds(kAhead).count())};
    const std::int64_t end = std::max(free, present) + lasts;
    if (free_at_.compare_exchange_weak(free, end)) return {taken, at(end) + speed_.latency};
  }
}

}  // namespace phalanx::comm

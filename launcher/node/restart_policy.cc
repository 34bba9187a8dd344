#include "launcher/node/restart_policy.h"

#include <algorithm>

namespace phalanx::node {
namespace {

constexpr Duration kFirstDelay = std::chrono::milliseconds(100);
constexpr Duration kLongestDelay = std::chrono::seconds(5);

}  // namespace

std::optional<TimePoint> RestartPolicy::after_death(TimePoint now) {
  while (!deaths_.empty() && deaths_.front() < now - memory_) deaths_.pop_front();
  deaths_.push_back(now);
  const auto count = static_cast<int>(deaths_.size());
  if (most_deaths_ > 0 && count >= most_deaths_) return std::nullopt;
  if (count == 1) return now;
  const int doublings = std::min(count - 2, 10);
  return now + std::min(kFirstDelay * (1 << doublings), kLongestDelay);
}

}  // namespace phalanx::node

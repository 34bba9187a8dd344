#include "protocol/span_ring.h"

namespace phalanx::protocol {

void SpanRing::add(const Span& span) {
  const std::lock_guard lock(mutex_);
  if (spans_.size() < room_)
    spans_.push_back(span);
  else
    spans_[added_ % room_] = span;
  ++added_;
}

SpanRing::Content SpanRing::of_steps(std::int64_t first, std::int64_t last) const {
  const std::lock_guard lock(mutex_);
  Content content;
  content.dropped = static_cast<std::int64_t>(added_ - spans_.size());
  for (std::size_t number = added_ - spans_.size(); number < added_; ++number) {
    const Span& span = spans_[number % room_];
    if (span.step >= first && span.step <= last) content.spans.push_back(span);
  }
  return content;
}

void SpanRing::clear() {
  const std::lock_guard lock(mutex_);
  spans_ = {};
  added_ = 0;
}

}  // namespace phalanx::protocol

#include "launcher/trace/flows.h"

namespace phalanx::trace {

Flows::Flows(std::span<const protocol::RankTrace> traces) {
  std::map<Key, int> ends;
  for (const auto& trace : traces)
    for (const auto& span : trace.spans())
      if (span.has_operation()) ++ends[key_of(trace.rank(), span.operation())];
  for (const auto& [key, number] : ends)
    if (number > 1) numbers_[key] = ++count_;
}

std::uint64_t Flows::of(int rank, const protocol::TracedOperation& operation) const {
  const auto found = numbers_.find(key_of(rank, operation));
  return found == numbers_.end() ? 0 : found->second;
}

Flows::Key Flows::key_of(int rank, const protocol::TracedOperation& operation) {
  if (!operation.has_peer()) return {operation.key(), operation.sequence(), -1, -1};
  const bool sends = operation.name() == "send";
  return {operation.key(), operation.sequence(), sends ? rank : operation.peer(),
          sends ? operation.peer() : rank};
}

}  // namespace phalanx::trace

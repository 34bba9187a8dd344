#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>

#include "protocol/trace.pb.h"

namespace phalanx::trace {

// What belongs together in a trace: a collective on all its ranks, a message at its two ends. Each
// has a number from 1, and one that only a single rank has written down has none.
class Flows {
 public:
  explicit Flows(std::span<const protocol::RankTrace> traces);

  // 0: none.
  std::uint64_t of(int rank, const protocol::TracedOperation& operation) const;
  std::uint64_t count() const { return count_; }

 private:
  // Key of the group, sequence, and of a message sender and receiver.
  using Key = std::tuple<std::uint64_t, std::uint64_t, int, int>;
  static Key key_of(int rank, const protocol::TracedOperation& operation);

  std::map<Key, std::uint64_t> numbers_;
  std::uint64_t count_ = 0;
};

}  // namespace phalanx::trace

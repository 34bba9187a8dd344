#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "comm/communicator.h"

namespace phalanx::comm {

// A node's way out to the other nodes, as narrow and long as asked for: a token bucket whose state,
// when the link is free again, is shared by the node's ranks. Only books; whoever sends waits.
class EmulatedLink {
 public:
  // `free_at`: steady-clock nanoseconds, in the node's memory.
  EmulatedLink(const LinkSpeed& speed, std::atomic<std::int64_t>& free_at)
      : speed_(speed), free_at_(free_at) {}

  struct Passage {
    std::size_t bytes;
    TimePoint end;
  };
  // Puts up to `bytes` bytes behind what has been booked: how many, and when they have arrived.
  // None when the link is taken for longer than it is worth booking ahead: ask again at `end`.
  Passage book(std::size_t bytes, TimePoint now);

 private:
  LinkSpeed speed_;
  std::atomic<std::int64_t>& free_at_;
};

}  // namespace phalanx::comm

#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <variant>
#include <vector>

#include "protocol/black_box.h"

namespace phalanx::protocol {

// A collective, or a message to or from `peer`. It began when all before it in its queue had
// finished. Times are steady-clock nanoseconds.
struct OperationSpan {
  std::uint32_t operation = 0;  // comm's, by number
  std::int32_t group = 0;       // index in the generation
  std::uint64_t key = 0;        // of the group, the same on all its members
  std::uint64_t sequence = 0;   // within the group; of messages: of the pair and direction
  std::uint64_t bytes = 0;
  std::int32_t peer = -1;  // rank in the generation; -1: a collective
  std::int64_t issued = 0;
};

// Something that took time on this rank; steady-clock nanoseconds.
struct Span {
  std::int64_t step = 0;
  std::int64_t begin = 0, end = 0;
  std::variant<Phase, OperationSpan> what;
};

// What a rank was at while somebody traces: the newest spans, as many as there is room for, from
// any thread. While nobody does, a look at one flag is all that it costs.
class SpanRing {
 public:
  explicit SpanRing(std::size_t room) : room_(room) {}

  bool recording() const { return recording_.load(std::memory_order_relaxed); }
  void record(bool on) { recording_.store(on, std::memory_order_relaxed); }
  void add(const Span& span);

  struct Content {
    std::vector<Span> spans;   // in the order in which they were added
    std::int64_t dropped = 0;  // older ones, since the last clear
  };
  // Those of the steps from `first` to `last`.
  Content of_steps(std::int64_t first, std::int64_t last) const;
  // Gives the memory back.
  void clear();

 private:
  const std::size_t room_;
  std::atomic<bool> recording_ = false;
  mutable std::mutex mutex_;
  std::vector<Span> spans_;  // at most room_; span number n is at n % room_
  std::size_t added_ = 0;
};

}  // namespace phalanx::protocol

#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "layout/schedule.h"

namespace phalanx::layout {

// Executes a schedule without time: every rank does its list in order, a receive waits for its
// message, a send waits while `capacity` messages to that rank have not been received yet. With a
// capacity of 0 a send waits for its receive (a rendezvous). Whether all ranks come to their ends
// does not depend on who goes first (a network of Kahn, 1974), so one walk proves it.
class ScheduleWalk {
 public:
  static constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);
  explicit ScheduleWalk(const Schedule& schedule, std::size_t capacity = kUnbounded);

  // Called for each operation when it is done, for each rank in the order of its list, a receive
  // after its send.
  using Done = std::function<void(int rank, std::size_t index)>;
  // Goes on until all ranks are at their ends or none can go on.
  void run(const Done& done = {});

  bool finished() const;
  // Index of the operation that a rank has come to; the length of its list at the end.
  std::size_t position(int rank) const { return positions_[static_cast<std::size_t>(rank)]; }
  // The message that the receive at `position(rank)` would find; its micro-batch is -1 if none is
  // there.
  Operation next_message(int rank) const;

 private:
  bool step(int rank);
  bool send(int rank, const Operation& operation);
  bool receive(int rank, const Operation& operation);
  const Operation* current(int rank) const;

  const Schedule& schedule_;
  std::size_t capacity_;
  std::vector<std::size_t> positions_;
  std::map<std::pair<int, int>, std::deque<Operation>> channels_;  // (sender, receiver): sends
};

// Whether `receive` of a rank takes the message of `send` of its peer.
bool matches(const Schedule& schedule, int sender, const Operation& send, int receiver,
             const Operation& receive);

}  // namespace phalanx::layout

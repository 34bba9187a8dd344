#pragma once

#include <cstdint>

#include "comm/group.h"
#include "protocol/black_box.h"

namespace phalanx::comm {

// Writes operations into the rank's black box, when it has one.
class Recorder {
 public:
  // The number of a record, from 1; 0: none. A record that newer ones have overwritten is gone.
  using Ticket = std::uint64_t;

  explicit Recorder(protocol::BlackBox* box) : box_(box) {}
  Ticket issued(int group, Operation operation, std::uint64_t sequence, std::size_t bytes);
  void started(Ticket ticket);
  void finished(Ticket ticket);

 private:
  protocol::CollectiveRecord* find(Ticket ticket) const;
  protocol::BlackBox* box_;
};

}  // namespace phalanx::comm

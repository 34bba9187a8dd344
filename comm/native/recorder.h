#pragma once

#include <cstdint>

#include "comm/group.h"
#include "protocol/black_box.h"
#include "protocol/span_ring.h"

namespace phalanx::comm {

struct OperationInfo {
  Operation operation;
  std::uint64_t sequence = 0;
  int group = -1;  // index in the generation; -1: of no group, not recorded
  std::size_t bytes = 0;
  std::uint64_t key = 0;  // of the group, the same on all its members
  int peer = -1;          // of a message: rank in the generation
};

// Writes operations into the rank's black box, when it has one, and from there into the spans of a
// trace while somebody asks for one.
class Recorder {
 public:
  // The number of a record, from 1; 0: none. A record that newer ones have overwritten is gone.
  using Ticket = std::uint64_t;

  Recorder(protocol::BlackBox* box, protocol::SpanRing* spans) : box_(box), spans_(spans) {}
  Ticket issued(const OperationInfo& info);
  void started(Ticket ticket);
  void finished(Ticket ticket);

 private:
  protocol::CollectiveRecord* find(Ticket ticket) const;
  protocol::BlackBox* box_;
  protocol::SpanRing* spans_;
};

}  // namespace phalanx::comm

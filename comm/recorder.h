#pragma once

#include <cstdint>

#include "comm/group.h"
#include "protocol/black_box.h"
#include "protocol/span_ring.h"

namespace phalanx::comm {

// What an operation is, for errors, the black box and traces.
struct OperationInfo {
  Operation operation;
  std::uint64_t sequence = 0;
  int group = -1;  // index in the generation; -1: of no group, not recorded
  std::size_t bytes = 0;
  int peer = -1;          // of a message: rank in the generation
  std::uint64_t key = 0;  // of the group, the same on all its members
};

// Writes operations into the rank's black box, when it has one, and while somebody traces also into
// its spans.
class Recorder {
 public:
  // A recorded operation; number 0: none. Its place in the box is gone when newer ones need it.
  struct Ticket {
    std::uint64_t number = 0;
    std::int64_t issued = 0, started = 0;
  };

  Recorder(protocol::BlackBox* box, protocol::SpanRing* spans) : box_(box), spans_(spans) {}
  Ticket issued(const OperationInfo& info);
  void started(Ticket& ticket);
  void finished(const Ticket& ticket, const OperationInfo& info);

 private:
  protocol::CollectiveRecord* find(const Ticket& ticket) const;
  protocol::BlackBox* box_;
  protocol::SpanRing* spans_;
};

}  // namespace phalanx::comm

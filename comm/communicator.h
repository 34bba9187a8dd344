#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "comm/group.h"
#include "protocol/black_box.h"
#include "protocol/span_ring.h"

namespace phalanx::comm {

// One rank of a generation, as the roster tells it.
struct Peer {
  int rank = 0;
  int node = 0;
  std::string host;  // IPv4 address where its worker listens
  std::uint16_t port = 0;
  int slot = 0;  // among the node's workers; its GPU is this one of the node's, in turn
};

// How slow the way out of a node is made, for emulated nodes.
struct LinkSpeed {
  double bytes_per_second = 0;  // of all ranks of a node together; 0: as it is
  Duration latency{};
};

// What binds a process into a generation.
struct Membership {
  std::uint64_t generation = 0;
  int rank = 0;
  std::vector<Peer> peers;     // by rank, this one included
  std::string secret;          // the job's; both ends of a connection prove that they know it
  Duration deadline{};         // longest time that an operation may wait for a peer
  FileDescriptor node_memory;  // native: shared by the node's ranks of this generation
  LinkSpeed link;              // native: of this node to others
  protocol::BlackBox* black_box = nullptr;  // where operations are recorded; may be null
  protocol::SpanRing* spans = nullptr;      // gets them while somebody traces; may be null
};

// A process's place in one generation: made when the generation begins, destroyed when it ends.
// Destroying it never communicates.
class Communicator {
 public:
  virtual ~Communicator() = default;
  // A group of generation ranks in this order. All members make their common groups in the same
  // order.
  virtual std::shared_ptr<Group> make_group(const std::vector<int>& ranks) = 0;
  // Makes every pending and future operation of every group throw CommError{kAborted, peer}. From
  // any thread.
  virtual void abort(int peer, const std::string& reason) = 0;
};

}  // namespace phalanx::comm

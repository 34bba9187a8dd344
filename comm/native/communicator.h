#pragma once

#include <memory>

#include "comm/communicator.h"
#include "comm/native/listener.h"

namespace phalanx::comm {

// A process's place in a generation of the native backend: shared memory between the ranks of a
// node, TCP between nodes. Returns when all ranks of the node have joined; connections to other
// nodes come about when they are first needed. `membership.node_memory` is a memory file of
// node_memory_bytes() for the node's ranks, new for this generation. The listener outlives the
// communicator; one communicator uses it at a time. Throws CommError (operation kBarrier, sequence
// 0) when a rank of the node has not joined by the deadline or the generation is over already, and
// SystemError when the memory is too small.
std::unique_ptr<Communicator> make_native_communicator(Membership membership, Listener& listener);

}  // namespace phalanx::comm

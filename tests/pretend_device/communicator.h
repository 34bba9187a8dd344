#pragma once

#include <memory>

#include "comm/communicator.h"

namespace phalanx::pretend {

// A generation whose groups are of the device, on one of the host, which must outlive it: buffers
// are memory of the device (one of the host stops the process, as NCCL's would be wrong),
// Group::allocate gives such, and host_waits() counts who waits. Nothing of it is on a stream:
// Work::wait(stream) blocks.
std::unique_ptr<comm::Communicator> on_pretend_device(comm::Communicator& of_the_host);

}  // namespace phalanx::pretend

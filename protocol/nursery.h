#pragma once

#include <optional>

#include "base/frame.h"

namespace phalanx::protocol {

// What a forked worker begins with. Its standard output and error are its log; it dies with the
// keeper.
struct ForkedWorker {
  FrameChannel keeper;       // the first frame is ToWorker{Start}; its end means: end yourself
  FileDescriptor black_box;  // protocol/black_box.h, zeroed
  int slot = 0;
};

// The life of the process `phalanx-worker --nursery`: forks a worker for every ForkWorker that
// arrives on `fd`, which it owns. Returns in each worker with what it begins with, and in the
// nursery, empty, when the keeper has gone. The caller has one thread, and nothing in it that does
// not survive a fork (no OpenMP region, CUDA or gRPC before). Throws SystemError in the nursery
// when it cannot fork.
std::optional<ForkedWorker> run_nursery(int fd);

}  // namespace phalanx::protocol

#pragma once

#include "base/file_descriptor.h"
#include "base/frame.h"

namespace phalanx::runtime {

// A worker's life: candidate, generation, candidate again, until it is told to leave. Returns the
// process's exit code; what went wrong has been reported to the keeper and written to standard
// error.
int run_worker(FrameChannel keeper, const FileDescriptor& black_box);

}  // namespace phalanx::runtime

#pragma once

#include "config/job.h"

namespace phalanx::layout {

// Memory that a rank of the job registers with its communicator, at most: gradients in the type in
// which they travel, and what the groups of its axes need. Throws LayoutError.
std::uint64_t registered_bytes(const config::Job& job);

}  // namespace phalanx::layout

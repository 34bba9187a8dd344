#pragma once

#include "launcher/control/action.h"
#include "protocol/run_directory.h"

namespace phalanx::control {

// Ends an attempt in the place of its controller, which has gone for good: learns from its log how
// far the job came, and writes what it would have written, the event job_ended and summary.json.
// Returns the verdict with what to do about it. Throws StorageError.
Verdict end_without_controller(const protocol::RunDirectory& directory, int attempt,
                               Verdict verdict);

}  // namespace phalanx::control

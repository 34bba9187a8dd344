#pragma once

#include <functional>

#include "config/job.h"
#include "runtime/step.h"

namespace phalanx::runtime {

// One rank of a job whose ranks are threads of this process.
struct LocalRank {
  int rank;
  ModelState& state;
  const MeshGroups& groups;
  Stepper& stepper;
};

// Runs `body` on every rank of the job, from its initial state, over the backend native; emulated
// nodes talk over TCP. The job's launch.backend and launch.device do not matter. Throws what a rank
// throws first, once all have ended; LayoutError, DataError.
void on_local_ranks(const config::Job& job, const std::function<void(LocalRank&)>& body);

}  // namespace phalanx::runtime

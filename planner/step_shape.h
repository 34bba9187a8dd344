#pragma once

#include "config/job.h"
#include "layout/mesh.h"
#include "layout/micro_batch_shape.h"

namespace phalanx::planner {

// How much of a step a rank computes. Data-parallel ranks differ by a sequence at most; this is one
// of those with the most.
struct StepShape {
  int micro_batches = 1;
  layout::MicroBatchShape micro_batch;  // a full one, its experts evenly loaded
  std::int64_t tokens = 0;              // of the whole step, on one context rank
};
StepShape step_shape(const config::Job& job, const layout::MeshSizes& mesh);

}  // namespace phalanx::planner

#pragma once

#include <cstdint>
#include <vector>

#include "config/job.h"
#include "layout/partition.h"
#include "layout/schedule.h"

namespace phalanx::planner {

// Bytes that a rank keeps whatever flows through it, each at its peak in a step: master parameters
// and the copies that it computes with (runtime/compute_weights.h), gradients as they are summed
// and sent (parallel/gradient_buckets.h), AdamW's moments. With ZeRO-2 and 3 part of the first two
// comes and goes with the runs of the schedule.
struct StateMemory {
  std::int64_t parameters = 0, gradients = 0, optimizer = 0;

  std::int64_t total() const { return parameters + gradients + optimizer; }
};

// Of the rank that holds `buckets` and has list `pipeline_rank` of the step's schedule.
StateMemory state_memory(const config::Job& job, const std::vector<layout::Bucket>& buckets,
                         const layout::Schedule& schedule, int pipeline_rank);

}  // namespace phalanx::planner

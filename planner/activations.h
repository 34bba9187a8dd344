#pragma once

#include <cstdint>
#include <vector>

#include "config/job.h"
#include "layout/partition.h"
#include "layout/saved_bytes.h"
#include "layout/schedule.h"
#include "planner/step_shape.h"

namespace phalanx::planner {

// By pipeline rank, the most bytes that a step holds at one moment beside the state: tokens, what
// blocks keep for backward passes and make for the while (layout/block_peaks.h), what waits to be
// sent or has been received. Follows the schedule as the executor does
// (parallel/schedule_executor.h), with all micro-batches of the size of `shape`.
std::vector<std::int64_t> step_activations(const config::Job& job,
                                           const layout::Partition& partition,
                                           const layout::Schedule& schedule, const StepShape& step,
                                           const layout::MicroBatchShape& shape);

}  // namespace phalanx::planner

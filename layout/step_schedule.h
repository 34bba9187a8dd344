#pragma once

#include "layout/partition.h"

namespace phalanx::layout {

// What the ranks of a pipeline do in a step of `micro_batches`, as the job asks: its schedule with
// recompute, sharding and transfers.
Schedule step_schedule(const config::Job& job, const Partition& partition, int micro_batches);

// The same for a validation: forward passes alone.
Schedule validation_schedule(const config::Job& job, const Partition& partition, int micro_batches);

}  // namespace phalanx::layout

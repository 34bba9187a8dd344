#pragma once

#include "layout/partition.h"

namespace phalanx::layout {

// How gradients are reduced in a step of the job.
GradientPolicy gradient_policy(const config::Parallel& parallel);

// What the ranks of a pipeline do in a step of `micro_batches`, as the job asks: its schedule with
// recompute, sharding and transfers.
Schedule step_schedule(const config::Job& job, const Partition& partition, int micro_batches);

// The same for a validation: forward passes alone.
Schedule validation_schedule(const config::Job& job, const Partition& partition, int micro_batches);

}  // namespace phalanx::layout

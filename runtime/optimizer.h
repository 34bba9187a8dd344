#pragma once

#include "config/job.h"
#include "parallel/gradient_buckets.h"
#include "runtime/compute_weights.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// One step of the job's optimizer with the summed gradients, times `gradient_scale`, on all that
// this rank keeps of the state; what the weights round is rounded along. Nothing is communicated.
// The step that it makes complete is state.progress.step + 1.
void update_parameters(ModelState& state, const parallel::GradientBuckets& gradients,
                       ComputeWeights& weights, const config::Optimizer& optimizer,
                       double gradient_scale, double lr);

}  // namespace phalanx::runtime

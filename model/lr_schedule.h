#pragma once

#include <cstdint>

#include "config/job.h"

namespace phalanx::model {

// The learning rate of a step, counted from 1 to train.steps: linear up to optimizer.lr at step
// `warmup`, then half a cosine down to min_lr at the last step (Loshchilov & Hutter 2017, without
// restarts); min_lr beyond it.
double learning_rate(const config::Train& train, std::int64_t step);

}  // namespace phalanx::model

#pragma once

#include <cstdint>

#include "config/job.h"

namespace phalanx::layout {

// What a stage computes again in its backward pass instead of keeping it: the inside of attention
// (Korthikanti et al. 2022, "Reducing Activation Recomputation"), or all (Chen et al. 2016,
// "Training Deep Nets with Sublinear Memory Cost").
enum class Recompute : std::uint8_t { kNone, kSelective, kFull };

// Of a stage, in the order of the model; `parallel.recompute` has one value for all, or one each.
Recompute recompute_of(const config::Parallel& parallel, int stage);

// Whether some stage does.
bool recomputes(const config::Parallel& parallel, Recompute what);

// Throws LayoutError where there are neither one value nor as many as stages.
void check_recompute(const config::Parallel& parallel);

}  // namespace phalanx::layout

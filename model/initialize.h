#pragma once

#include <cstdint>
#include <span>

#include "config/job.h"
#include "layout/region.h"
#include "layout/tensor_spec.h"

namespace phalanx::model {

// The first values of a region of a parameter, in row-major order of the region, as spec.init says.
// An element's number comes from Philox, keyed by (seed, name) and counted by its index in the
// whole tensor, so that any part is made alone and equals the slice of the whole, under every
// layout. Normal numbers by Box & Muller (1958) in fp64, rounded once. `values` has
// region.elements() elements.
void initialize(const layout::TensorSpec& spec, const config::Model& model, std::uint64_t seed,
                const layout::Region& region, std::span<float> values);
void initialize(const layout::TensorSpec& spec, const config::Model& model, std::uint64_t seed,
                const layout::Region& region, std::span<double> values);

// The region that is all of a tensor.
layout::Region whole(const layout::TensorSpec& spec);

}  // namespace phalanx::model

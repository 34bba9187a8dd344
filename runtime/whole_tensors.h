#pragma once

#include <map>
#include <string>
#include <vector>

#include "parallel/gradient_buckets.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// Tensors of the whole model, by name, row-major.
using WholeTensors = std::map<std::string, std::vector<double>>;

// Puts the gradients that this rank alone owns into their places in `whole`, after
// GradientBuckets::finish_step; all ranks together fill it.
void add_owned_gradients(const ModelState& state, const parallel::GradientBuckets& gradients,
                         WholeTensors& whole);

}  // namespace phalanx::runtime

#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>

#include <span>

#include "config/job.h"
#include "parallel/block.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// The parameters as the model computes with them: in fp32 the state's own; in bf16 the matrices are
// copies of these, rounded, and the norms the state's own.
class ComputeWeights {
 public:
  // `state` outlives it, and holds what is to be computed with.
  ComputeWeights(ModelState& state, const config::Train& train);

  // With gradients as of parameter_views().
  parallel::Parameters views(std::span<float> gradients);

  // The copies of `count` elements of the flat parameters from `begin` on, for whoever changes
  // these; empty where there are none.
  std::span<c10::BFloat16> copies(std::size_t begin, std::size_t count);

 private:
  ModelState& state_;
  at::Tensor copies_;  // flat as the parameters; undefined: none
};

}  // namespace phalanx::runtime

#pragma once

#include <optional>
#include <string>

#include "tests/runtime/small_job.h"

namespace phalanx::runtime {

// The largest error that counts as none, in fp64: sums in another order, and nothing else.
inline constexpr double kTolerance = 1e-10;

// Where an outcome is not what one rank comes to.
struct Difference {
  std::string where;  // a tensor, "loss of step 1", "norm of step 1" or "validation"
  double error = 0;   // the norm of the difference over the norm
};

// The first of them: the tensors' gradients in the order of the model, then losses and norms step
// by step, then validation.
std::optional<Difference> first_difference(const config::Model& model, const Outcome& found,
                                           const Outcome& expected);

}  // namespace phalanx::runtime

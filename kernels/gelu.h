#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The Gaussian error linear unit in GPT-2's form (Hendrycks & Gimpel 2016, with the hyperbolic
// tangent):
//   y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
// x contiguous.
at::Tensor gelu(const at::Tensor& x);

// The gradient, in place: `x` holds its own afterwards, and `dy` becomes what gelu() gave, the same
// bits, so that nobody has to keep that until the pass that needs both.
void gelu_backward(at::Tensor& dy, at::Tensor& x);

}  // namespace phalanx::kernels

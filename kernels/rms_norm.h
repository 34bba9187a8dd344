#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// Root mean square layer normalisation (Zhang & Sennrich 2019), over the last dimension:
//   y = x * inverse_rms * weight,   inverse_rms = 1 / sqrt(mean(x^2) + epsilon)
// x [..., width] contiguous, weight [width]; inverse_rms has one element a row. Where x is bf16,
// weight, inverse_rms and dweight are fp32.
struct RmsNorm {
  at::Tensor y;
  at::Tensor inverse_rms;
};
RmsNorm rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

// The gradients: `dx` is that of x plus `residual` (the gradient that goes around the norm, same
// shape as x; undefined for none), `dweight` [width] what the caller adds to the weight's gradient.
// `dy` becomes y, the same bits, so that nobody has to keep y until the pass that needs both.
struct RmsNormGradient {
  at::Tensor dx;
  at::Tensor dweight;
};
RmsNormGradient rms_norm_backward(at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& inverse_rms, const at::Tensor& residual);

}  // namespace phalanx::kernels

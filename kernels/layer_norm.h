#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// Layer normalisation (Ba, Kiros & Hinton 2016), over the last dimension:
//   y = (x - mean) * inverse_deviation * weight + bias,   inverse_deviation = 1 / sqrt(variance +
//   epsilon)
// x [..., width] contiguous, weight and bias [width]; mean and inverse_deviation have one element a
// row. Where x is bf16, all but y are fp32.
struct LayerNorm {
  at::Tensor y;
  at::Tensor mean;
  at::Tensor inverse_deviation;
};
LayerNorm layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon);

// The gradients: `dx` is that of x plus `residual` (the gradient that goes around the norm, same
// shape as x; undefined for none), `dweight` and `dbias` [width] what the caller adds to theirs.
// `dy` becomes y, the same bits, so that nobody has to keep y until the pass that needs both.
struct LayerNormGradient {
  at::Tensor dx;
  at::Tensor dweight;
  at::Tensor dbias;
};
LayerNormGradient layer_norm_backward(at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                      const at::Tensor& bias, const at::Tensor& mean,
                                      const at::Tensor& inverse_deviation,
                                      const at::Tensor& residual);

}  // namespace phalanx::kernels

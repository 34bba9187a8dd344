#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// y += bias in every row: y [..., width] contiguous, bias [width], fp32 where y is bf16.
void add_bias(at::Tensor& y, const at::Tensor& bias);

// dbias += the sum of dy's rows.
void add_bias_backward(const at::Tensor& dy, at::Tensor dbias);

}  // namespace phalanx::kernels

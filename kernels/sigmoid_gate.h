#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// y += sigmoid(logits) * x in every row: x and y [..., width] contiguous, one logit a row.
void add_gated(const at::Tensor& x, const at::Tensor& logits, at::Tensor y);

// The gradients, in place: x and logits hold their own afterwards.
void add_gated_backward(const at::Tensor& dy, at::Tensor& x, at::Tensor& logits);

}  // namespace phalanx::kernels

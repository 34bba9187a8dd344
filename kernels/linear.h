#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// y = x weight^T: x [..., inputs] contiguous, weight [outputs, inputs], y [..., outputs].
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight);

// The same into y's memory.
void linear_into(const at::Tensor& x, const at::Tensor& weight, at::Tensor y);

// y = residual + x weight^T.
at::Tensor linear_plus(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& residual);

// dx = dy weight, which may be some of a matrix's columns.
at::Tensor linear_backward_input(const at::Tensor& dy, const at::Tensor& weight);
void linear_backward_input_into(const at::Tensor& dy, const at::Tensor& weight, at::Tensor dx);

// dweight += dy^T x, straight into the caller's memory; fp32 where these are bf16.
void add_linear_backward_weight(const at::Tensor& dy, const at::Tensor& x, at::Tensor dweight);

}  // namespace phalanx::kernels

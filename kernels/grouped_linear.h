#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace phalanx::kernels {

// Linears of several experts: of x [rows, inputs], the first rows[0] go through weights[0]
// [outputs, inputs], the next rows[1] through weights[1], and so on. An expert without rows costs
// nothing.

// y [rows, outputs].
at::Tensor grouped_linear(const at::Tensor& x, std::span<const std::int64_t> rows,
                          std::span<const at::Tensor> weights);

// dx = dy weight.
at::Tensor grouped_linear_backward_input(const at::Tensor& dy, std::span<const std::int64_t> rows,
                                         std::span<const at::Tensor> weights);

// dweights[e] += dy^T x over its rows, straight into the caller's memory; fp32 where these are
// bf16.
void add_grouped_linear_backward_weight(const at::Tensor& dy, const at::Tensor& x,
                                        std::span<const std::int64_t> rows,
                                        std::span<const at::Tensor> dweights);

}  // namespace phalanx::kernels

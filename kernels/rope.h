#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace phalanx::kernels {

// Rotary position embedding (Su et al. 2021) in the order of Hugging Face's llama: within each
// head, element i and element i + head_width / 2 are one complex number, turned by position *
// theta^(-2i / head_width).

// The cosines and sines of the positions: [positions, head_width], cosines in the first half of a
// row, sines in the second. Angles are computed in fp64. head_width is even. In the host's memory.
at::Tensor rope_table(std::span<const std::int64_t> positions, std::int64_t head_width,
                      double theta, at::ScalarType type);
// Of `length` positions from `first_position` on.
at::Tensor rope_table(std::int64_t first_position, std::int64_t length, std::int64_t head_width,
                      double theta, at::ScalarType type);

// Turns x [sequences, length, heads * head_width] in place; rows may be parts of longer ones. The
// table may be longer than x, and is fp32 where x is bf16.
void rope(at::Tensor& x, const at::Tensor& table);

// The gradient: turns dx back, in place.
void rope_backward(at::Tensor& dx, const at::Tensor& table);

}  // namespace phalanx::kernels

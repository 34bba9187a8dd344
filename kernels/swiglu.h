#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The gated unit of SwiGLU (Shazeer 2020): silu(gate) * up, silu(g) = g / (1 + e^-g). Same shapes,
// contiguous.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

// The gradients, in place: `gate` and `up` hold their own gradients afterwards.
void swiglu_backward(const at::Tensor& dy, at::Tensor& gate, at::Tensor& up);

}  // namespace phalanx::kernels

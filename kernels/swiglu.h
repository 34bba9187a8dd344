#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The gated unit of SwiGLU (Shazeer 2020): silu(gate) * up, silu(g) = g / (1 + e^-g). `gate_up`
// [..., 2 * width], contiguous: gate in the first half of every row, up in the second; the result
// is [..., width].
at::Tensor swiglu(const at::Tensor& gate_up);

// The gradients, in place: `gate_up` holds its own afterwards, and `dy` becomes what swiglu() gave,
// the same bits, so that nobody has to keep that until the pass that needs both.
void swiglu_backward(at::Tensor& dy, at::Tensor& gate_up);

}  // namespace phalanx::kernels

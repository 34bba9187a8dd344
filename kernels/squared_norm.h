#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The sum of squares of contiguous fp32 or fp64 values, one fp64 number [1] on their device,
// accumulated in fp64 in one fixed order whatever the processor: the same values give the same
// bits.
at::Tensor squared_norm(const at::Tensor& values);

}  // namespace phalanx::kernels

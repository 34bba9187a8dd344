#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The sum of contiguous fp64 values, [1], on their device; in one order for each count.
at::Tensor total(const at::Tensor& values);

}  // namespace phalanx::kernels

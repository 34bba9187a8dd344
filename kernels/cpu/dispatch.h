#pragma once

#include <ATen/core/Tensor.h>

#include "base/check.h"

namespace phalanx::kernels {

// Calls `function` with a value of the tensor's element type, float or double: training computes in
// fp32, the tests that prove the formulas in fp64.
template <class Function>
void for_element_type(const at::Tensor& tensor, const Function& function) {
  if (tensor.scalar_type() == at::kFloat) {
    function(float{});
  } else {
    check(tensor.scalar_type() == at::kDouble, "kernels: expected a tensor of fp32 or fp64");
    function(double{});
  }
}

}  // namespace phalanx::kernels

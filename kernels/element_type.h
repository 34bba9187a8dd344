#pragma once

#include <ATen/core/Tensor.h>

#include "base/check.h"
#include "kernels/operations/element.h"

namespace phalanx::kernels {

// The tensor type of what is computed and summed beside values of a tensor type.
inline c10::ScalarType wide_type(c10::ScalarType type) {
  return type == c10::ScalarType::BFloat16 ? c10::ScalarType::Float : type;
}

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

// The same for what surrounds the products, which computes with activations in bf16 too; sums are
// of type Wide<T>.
template <class Function>
void for_activation_type(const at::Tensor& tensor, const Function& function) {
  if (tensor.scalar_type() == at::kBFloat16)
    function(Bf16{});
  else
    for_element_type(tensor, function);
}

// A tensor [..., width] as rows.
inline Rows rows_of(const at::Tensor& x) { return {x.numel() / x.size(-1), x.size(-1)}; }

// Whether x is [sequences, length, width] with equal distances between rows, x.stride(1):
// contiguous, or columns of what is.
inline bool are_rows(const at::Tensor& x) {
  return x.dim() == 3 && x.stride(2) == 1 && x.stride(0) == x.size(1) * x.stride(1);
}

}  // namespace phalanx::kernels

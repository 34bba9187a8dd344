#include "model/experts.h"

#include "kernels/grouped_linear.h"
#include "kernels/swiglu.h"

namespace phalanx::model {

void Experts::add(parallel::Parameter gate_up, parallel::Parameter down) {
  gate_up_.push_back(std::move(gate_up.value));
  gate_up_gradients_.push_back(std::move(gate_up.gradient));
  down_.push_back(std::move(down.value));
  down_gradients_.push_back(std::move(down.gradient));
}

at::Tensor Experts::forward(const at::Tensor& x, std::span<const std::int64_t> rows,
                            Saved saved) const {
  saved[kInput] = x;
  saved[kGateUp] = kernels::grouped_linear(x, rows, gate_up_);
  return kernels::grouped_linear(kernels::swiglu(saved[kGateUp]), rows, down_);
}

at::Tensor Experts::backward_input(const at::Tensor& dy, std::span<const std::int64_t> rows,
                                   Saved saved) const {
  auto dhidden = kernels::grouped_linear_backward_input(dy, rows, down_);
  kernels::swiglu_backward(dhidden, saved[kGateUp]);  // and dhidden becomes the hidden rows
  saved[kHidden] = dhidden;
  saved[kOutputGradient] = dy;
  return kernels::grouped_linear_backward_input(saved[kGateUp], rows, gate_up_);
}

void Experts::backward_weight(std::span<const std::int64_t> rows, Saved saved) const {
  kernels::add_grouped_linear_backward_weight(saved[kOutputGradient], saved[kHidden], rows,
                                              down_gradients_);
  kernels::add_grouped_linear_backward_weight(saved[kGateUp], saved[kInput], rows,
                                              gate_up_gradients_);
}

}  // namespace phalanx::model

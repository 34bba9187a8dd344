#include "parallel/joined_linear.h"

#include <ATen/ops/cat.h>

#include "kernels/linear.h"

namespace phalanx::parallel {

JoinedLinear::JoinedLinear(const TensorAxis& axis, std::vector<Parameter> runs)
    : axis_(axis), runs_(std::move(runs)) {
  std::int64_t columns = 0;
  for (const auto& run : runs_) {
    first_.push_back(columns);
    columns += run.value.size(0);
  }
}

at::Tensor JoinedLinear::forward(const at::Tensor& x) const {
  const auto all = axis_.gather(x);
  std::vector<at::Tensor> parts;
  for (const auto& run : runs_) parts.push_back(kernels::linear(all, run.value));
  return parts.size() == 1 ? parts.front() : at::cat(parts, -1);
}

at::Tensor JoinedLinear::backward_input(const at::Tensor& dy) const {
  auto dx = kernels::linear_backward_input(columns_of(dy, 0), runs_.front().value);
  for (std::size_t i = 1; i < runs_.size(); ++i)
    dx.add_(kernels::linear_backward_input(columns_of(dy, i), runs_[i].value));
  return axis_.reduce_scatter(dx);
}

void JoinedLinear::backward_weight(const at::Tensor& dy, const at::Tensor& x) const {
  const auto all = axis_.gather(x);
  for (std::size_t i = 0; i < runs_.size(); ++i)
    kernels::add_linear_backward_weight(columns_of(dy, i), all, runs_[i].gradient);
}

at::Tensor JoinedLinear::columns_of(const at::Tensor& y, std::size_t run) const {
  return y.narrow(-1, first_[run], runs_[run].value.size(0)).contiguous();
}

}  // namespace phalanx::parallel

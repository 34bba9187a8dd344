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
  std::vector<at::Tensor> parts;
  for (const auto& run : runs_) parts.push_back(axis_.empty_of_all(x, run.value.size(0)));
  axis_.gather(x, [&](const at::Tensor& tokens, std::int64_t first) {
    for (std::size_t i = 0; i < runs_.size(); ++i)
      kernels::linear_into(tokens, runs_[i].value,
                           parts[i].view({-1, parts[i].size(-1)}).narrow(0, first, tokens.size(0)));
  });
  return parts.size() == 1 ? parts.front() : at::cat(parts, -1);
}

at::Tensor JoinedLinear::backward_input(const at::Tensor& dy) const {
  std::vector<at::Tensor> dy_of_run;
  for (std::size_t i = 0; i < runs_.size(); ++i) dy_of_run.push_back(columns_of(dy, i));
  const auto of_run = [&](std::size_t i, std::int64_t first, std::int64_t count) {
    return kernels::linear_backward_input(dy_of_run[i], runs_[i].value.narrow(1, first, count));
  };
  return axis_.reduce_scatter(runs_.front().value.size(1),
                              [&](std::int64_t first, std::int64_t count) {
                                auto dx = of_run(0, first, count);
                                for (std::size_t i = 1; i < runs_.size(); ++i)
                                  dx.add_(of_run(i, first, count));
                                return dx;
                              });
}

void JoinedLinear::backward_weight(const at::Tensor& dy, const at::Tensor& x_of_all) const {
  for (std::size_t i = 0; i < runs_.size(); ++i)
    kernels::add_linear_backward_weight(columns_of(dy, i), x_of_all, runs_[i].gradient);
}

at::Tensor JoinedLinear::columns_of(const at::Tensor& y, std::size_t run) const {
  return y.narrow(-1, first_[run], runs_[run].value.size(0)).contiguous();
}

}  // namespace phalanx::parallel

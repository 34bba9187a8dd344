#include "parallel/tensor_axis.h"

#include <ATen/ops/empty.h>

#include "kernels/linear.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {

TensorAxis::TensorAxis(const AxisGroups& groups, std::int64_t sequence_length)
    : group_(groups.tensor), length_(groups.own_length(sequence_length)) {}

at::Tensor TensorAxis::gather(const at::Tensor& own) const {
  if (alone()) return own;
  const auto width = own.size(-1);
  auto all = at::empty({own.numel() * size() / (length_ * width), length_, width}, own.options());
  group_->all_gather(buffer_of(own), buffer_of(all)).wait();
  return all;
}

at::Tensor TensorAxis::reduce_scatter(const at::Tensor& all) const {
  if (alone()) return all;
  const auto width = all.size(-1);
  auto own = at::empty({1, all.numel() / (size() * width), width}, all.options());
  group_->reduce_scatter(buffer_of(all), buffer_of(own)).wait();
  return own;
}

at::Tensor TensorAxis::column_linear(const at::Tensor& x, const at::Tensor& weight) const {
  return kernels::linear(gather(x), weight);
}

at::Tensor TensorAxis::column_backward_input(const at::Tensor& dy, const at::Tensor& weight) const {
  return reduce_scatter(kernels::linear_backward_input(dy, weight));
}

at::Tensor TensorAxis::row_linear_plus(const at::Tensor& x, const at::Tensor& weight,
                                       const at::Tensor& residual) const {
  if (alone()) return kernels::linear_plus(x, weight, residual);
  return reduce_scatter(kernels::linear(x, weight)).add_(residual);
}

}  // namespace phalanx::parallel

#include "parallel/tensor_axis.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "kernels/linear.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

// The last block's sums have nothing to hide behind, and each block costs the start of a collective
// and is a product of its own: of columns that tiles of products fill.
std::int64_t block_of(std::int64_t columns) {
  constexpr std::int64_t kBlocks = 4, kTile = 64;
  return (columns + kBlocks * kTile - 1) / (kBlocks * kTile) * kTile;
}

}  // namespace

TensorAxis::TensorAxis(const AxisGroups& groups, std::int64_t sequence_length)
    : group_(groups.tensor), length_(groups.own_length(sequence_length)) {}

at::Tensor TensorAxis::empty_of_all(const at::Tensor& own, std::int64_t width) const {
  if (alone()) return at::empty({own.size(0), own.size(1), width}, own.options());
  const auto tokens = own.numel() / own.size(-1) * size();
  return at::empty({tokens / length_, length_, width}, own.options());
}

ComingTokens TensorAxis::start_gather(const at::Tensor& own) const {
  if (alone()) return ComingTokens(own);
  auto all = empty_of_all(own, own.size(-1));
  auto others = group_->all_gather(buffer_of(own), buffer_of(all));
  return {std::move(all), std::move(others)};
}

at::Tensor TensorAxis::gather(const at::Tensor& own, const Use& use, Meanwhile* meanwhile) const {
  auto coming = start_gather(own);
  const auto width = own.size(-1), count = own.numel() / width, first = rank() * count;
  use(own.view({count, width}), first);
  if (meanwhile && !alone()) (*meanwhile)();
  const auto all = coming.wait();
  const auto rows = all.view({-1, width});
  if (first > 0) use(rows.narrow(0, 0, first), 0);
  const auto behind = first + count;
  if (behind < rows.size(0)) use(rows.narrow(0, behind, rows.size(0) - behind), behind);
  return all;
}

at::Tensor TensorAxis::reduce_scatter(const at::Tensor& all) const {
  if (alone()) return all;
  auto own = empty_of_own(all, all.size(-1));
  group_->reduce_scatter(buffer_of(all), buffer_of(own)).wait(comm::DeviceStream{});
  return own;
}

at::Tensor TensorAxis::reduce_scatter(std::int64_t columns, const Product& product,
                                      const at::Tensor& addend) const {
  const std::int64_t block = alone() ? columns : block_of(columns);
  struct Leaving {
    at::Tensor all, own;
    comm::Work sum;
  };
  std::vector<Leaving> blocks;
  for (std::int64_t first = 0; first < columns; first += block) {
    auto all = product(first, std::min(block, columns - first));
    if (alone()) return addend.defined() ? all.add_(addend) : all;
    auto own = empty_of_own(all, all.size(-1));
    auto sum = group_->reduce_scatter(buffer_of(all), buffer_of(own));
    blocks.push_back({std::move(all), std::move(own), std::move(sum)});
  }
  auto result = addend.defined() ? addend.clone() : empty_of_own(blocks.front().all, columns);
  for (std::int64_t first = 0; auto& [all, own, sum] : blocks) {
    sum.wait(comm::DeviceStream{});
    auto place = result.narrow(-1, first, own.size(-1));
    addend.defined() ? place.add_(own) : place.copy_(own);
    first += own.size(-1);
  }
  return result;
}

at::Tensor TensorAxis::empty_of_own(const at::Tensor& all, std::int64_t width) const {
  return at::empty({1, all.numel() / (size() * all.size(-1)), width}, all.options());
}

at::Tensor TensorAxis::column_linear(const at::Tensor& x, const at::Tensor& weight) const {
  auto y = empty_of_all(x, weight.size(0));
  const auto rows = y.view({-1, weight.size(0)});
  gather(x, [&](const at::Tensor& tokens, std::int64_t first) {
    kernels::linear_into(tokens, weight, rows.narrow(0, first, tokens.size(0)));
  });
  return y;
}

at::Tensor TensorAxis::column_backward_input(const at::Tensor& dy, const at::Tensor& weight) const {
  return reduce_scatter(weight.size(1), [&](std::int64_t first, std::int64_t count) {
    return kernels::linear_backward_input(dy, weight.narrow(1, first, count));
  });
}

at::Tensor TensorAxis::row_linear_plus(const at::Tensor& x, const at::Tensor& weight,
                                       const at::Tensor& residual) const {
  if (alone()) return kernels::linear_plus(x, weight, residual);
  const auto product = [&](std::int64_t first, std::int64_t count) {
    return kernels::linear(x, weight.narrow(0, first, count));
  };
  return reduce_scatter(weight.size(0), product, residual);
}

TensorAxis::RowGradient TensorAxis::row_backward_input(const at::Tensor& dy,
                                                       const at::Tensor& weight,
                                                       Meanwhile* meanwhile) const {
  auto dx = empty_of_all(dy, weight.size(1));
  const auto rows = dx.view({-1, weight.size(1)});
  const auto product = [&](const at::Tensor& tokens, std::int64_t first) {
    kernels::linear_backward_input_into(tokens, weight, rows.narrow(0, first, tokens.size(0)));
  };
  auto dy_of_all = gather(dy, product, meanwhile);
  return {std::move(dx), std::move(dy_of_all)};
}

}  // namespace phalanx::parallel

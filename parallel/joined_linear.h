#pragma once

#include <vector>

#include "parallel/block.h"
#include "parallel/tensor_axis.h"

namespace phalanx::parallel {

// A column linear (tensor_axis.h) whose weight is one matrix of several parameters, or where these
// lie apart several, with their outputs side by side.
class JoinedLinear {
 public:
  // `runs` of Block::own_joined.
  JoinedLinear(const TensorAxis& axis, std::vector<Parameter> runs);

  at::Tensor forward(const at::Tensor& x) const;
  at::Tensor backward_input(const at::Tensor& dy) const;
  // All tokens of x.
  void backward_weight(const at::Tensor& dy, const at::Tensor& x_of_all) const;

 private:
  at::Tensor columns_of(const at::Tensor& y, std::size_t run) const;

  const TensorAxis& axis_;
  std::vector<Parameter> runs_;
  std::vector<std::int64_t> first_;  // column of each run
};

}  // namespace phalanx::parallel

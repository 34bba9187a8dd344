#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "parallel/axis_groups.h"

namespace phalanx::parallel {

// A rank's place among those that divide the matrices of every layer (Shoeybi et al. 2019,
// "Megatron-LM") and, outside the matrices, the tokens (Korthikanti et al. 2022, "Reducing
// Activation Recomputation"): each holds an equal run of a micro-batch's tokens in their order. A
// column linear has a part of the outputs and needs all tokens, a row linear a part of the inputs
// and gives every rank a part of the sum for all tokens; what surrounds them is done for own tokens
// alone. With one rank nothing is copied and nothing moves.
//
// "own tokens" are [1, tokens / ranks, width], "all tokens" [sequences, length, width]; with one
// rank both are the latter. Collectives: all ranks of the axis call the same in the same order.
// Throws CommError.
class TensorAxis {
 public:
  // Of a model's sequences.
  TensorAxis(const AxisGroups& groups, std::int64_t sequence_length);

  bool alone() const { return group_ == nullptr; }
  int size() const { return alone() ? 1 : group_->size(); }
  int rank() const { return alone() ? 0 : group_->rank(); }
  comm::Group& group() const { return *group_; }

  // Own tokens of every rank: all tokens.
  at::Tensor gather(const at::Tensor& own) const;
  // The sum over the ranks of `all` tokens, of which each keeps its own.
  at::Tensor reduce_scatter(const at::Tensor& all) const;

  // A column linear: own tokens of x to all tokens of this rank's outputs.
  at::Tensor column_linear(const at::Tensor& x, const at::Tensor& weight) const;
  // Its gradient: all tokens of dy to own tokens of dx, summed over the ranks.
  at::Tensor column_backward_input(const at::Tensor& dy, const at::Tensor& weight) const;
  // A row linear and what it is added to: all tokens of this rank's inputs to own tokens of y.
  at::Tensor row_linear_plus(const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& residual) const;

 private:
  std::shared_ptr<comm::Group> group_;
  std::int64_t length_;  // of sequences, as far as the context axis leaves them to this rank
};

}  // namespace phalanx::parallel

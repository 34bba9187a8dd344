#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "parallel/axis_groups.h"
#include "parallel/meanwhile.h"

namespace phalanx::parallel {

// All tokens, while the other ranks' are on their way.
class ComingTokens {
 public:
  explicit ComingTokens(at::Tensor all) : all_(std::move(all)) {}
  ComingTokens(at::Tensor all, comm::Work others)
      : all_(std::move(all)), others_(std::move(others)), coming_(true) {}

  // Throws CommError.
  at::Tensor wait() {
    if (std::exchange(coming_, false)) others_.wait(comm::DeviceStream{});
    return all_;
  }

 private:
  at::Tensor all_;
  comm::Work others_;
  bool coming_ = false;
};

// A rank's place among those that divide the matrices of every layer (Shoeybi et al. 2019,
// "Megatron-LM") and, outside the matrices, the tokens (Korthikanti et al. 2022, "Reducing
// Activation Recomputation"): each holds an equal run of a micro-batch's tokens in their order. A
// column linear has a part of the outputs and needs all tokens, a row linear a part of the inputs
// and gives every rank a part of the sum for all tokens; what surrounds them is done for own tokens
// alone. With one rank nothing is copied and nothing moves.
//
// Gathers and sums move while products run: what of a product needs no other rank is done first,
// then what `meanwhile` has where it is given, and sums leave block by block (Wang et al. 2023,
// "Overlap Communication with Dependent Computation via Decomposition in Large Deep Learning
// Models"). An element's sums have one order whatever the blocks.
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

  // Own tokens of every rank: all tokens. start_gather() does not wait; nobody writes to `own`
  // until all have come.
  at::Tensor gather(const at::Tensor& own) const { return start_gather(own).wait(); }
  ComingTokens start_gather(const at::Tensor& own) const;
  // Does with all tokens, [tokens, width], what can be done with any run of them, `first` being the
  // first one's place: with own ones while the others are on their way. Returns all tokens.
  using Use = std::function<void(const at::Tensor& tokens, std::int64_t first)>;
  at::Tensor gather(const at::Tensor& own, const Use& use, Meanwhile* meanwhile = nullptr) const;

  // The sum over the ranks of `all` tokens, of which each keeps its own.
  at::Tensor reduce_scatter(const at::Tensor& all) const;
  // The same, plus `addend` if that is defined, of what `product` makes of `columns` columns, block
  // by block: the sums of one block are on their way while the next is made.
  using Product = std::function<at::Tensor(std::int64_t first, std::int64_t count)>;
  at::Tensor reduce_scatter(std::int64_t columns, const Product& product,
                            const at::Tensor& addend = {}) const;

  // A column linear: own tokens of x to all tokens of this rank's outputs.
  at::Tensor column_linear(const at::Tensor& x, const at::Tensor& weight) const;
  // Its gradient: all tokens of dy to own tokens of dx, summed over the ranks.
  at::Tensor column_backward_input(const at::Tensor& dy, const at::Tensor& weight) const;
  // A row linear and what it is added to: all tokens of this rank's inputs to own tokens of y.
  at::Tensor row_linear_plus(const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& residual) const;
  // Its gradient: own tokens of dy to all tokens of this rank's dx, and of dy.
  struct RowGradient {
    at::Tensor dx, dy_of_all;
  };
  RowGradient row_backward_input(const at::Tensor& dy, const at::Tensor& weight,
                                 Meanwhile* meanwhile = nullptr) const;

  // Room for `width` columns of all tokens, given own ones of anything.
  at::Tensor empty_of_all(const at::Tensor& own, std::int64_t width) const;

 private:
  at::Tensor empty_of_own(const at::Tensor& all, std::int64_t width) const;

  std::shared_ptr<comm::Group> group_;
  std::int64_t length_;  // of sequences, as far as the context axis leaves them to this rank
};

}  // namespace phalanx::parallel

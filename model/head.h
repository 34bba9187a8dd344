#pragma once

#include "config/job.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"
#include "parallel/tensor_axis.h"

namespace phalanx::model {

// The last norm and the projection to the vocabulary: own tokens of x (parallel/tensor_axis.h) to
// logits [sequences, length, words], tensor ranks each those of their words.
class Head : public parallel::Block {
 public:
  Head(const config::Model& model, const parallel::Parameters& parameters,
       const parallel::AxisGroups& groups);
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dlogits, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;

 private:
  parallel::TensorAxis axis_;
  double epsilon_;
  parallel::Parameter norm_, projection_;
};

}  // namespace phalanx::model

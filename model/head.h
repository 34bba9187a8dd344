#pragma once

#include "config/job.h"
#include "parallel/block.h"

namespace phalanx::model {

// The last norm and the projection to the vocabulary: x [sequences, length, width] to logits
// [sequences, length, vocab].
class Head : public parallel::Block {
 public:
  Head(const config::Model& model, const parallel::Parameters& parameters);
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dlogits, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;

 private:
  double epsilon_;
  parallel::Parameter norm_, projection_;
};

}  // namespace phalanx::model

#pragma once

#include "config/job.h"
#include "kernels/embedding.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"
#include "parallel/tensor_axis.h"

namespace phalanx::model {

// Tokens (int64 [sequences, length]) to vectors of own tokens (parallel/tensor_axis.h); tensor
// ranks hold words of their own. Tokens have no gradient: backward_input returns an undefined
// tensor.
class Embedding : public parallel::Block {
 public:
  Embedding(const config::Model& model, const parallel::Parameters& parameters,
            const parallel::AxisGroups& groups);
  at::Tensor forward(const at::Tensor& tokens, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;
  Backward backward(const at::Tensor& dy, parallel::Saved& saved,
                    parallel::Meanwhile& earlier) const override;

 private:
  parallel::TensorAxis axis_;
  kernels::VocabularyPart part_;
  parallel::Parameter table_;
};

}  // namespace phalanx::model

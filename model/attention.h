#pragma once

#include "config/job.h"
#include "kernels/attention.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"
#include "parallel/context_attention.h"
#include "parallel/joined_linear.h"
#include "parallel/tensor_axis.h"

namespace phalanx::model {

// y = x + output(attention(rope(query(n)), rope(key(n)), value(n))), n = rms_norm(x): the first
// half of a layer. Query, key and value have biases where the parameters hold some (`qwen_moe`).
// `layer` is "layers.I"; x and y are own tokens (parallel/tensor_axis.h) of the positions that the
// context axis leaves to this rank; without one, sequences are at most the model's sequence_length
// long. Tensor ranks have heads of their own.
class Attention : public parallel::Block {
 public:
  Attention(const config::Model& model, const std::string& layer,
            const parallel::Parameters& parameters, const parallel::AxisGroups& groups);
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  Backward backward(const at::Tensor& dy, parallel::Saved& saved,
                    parallel::Meanwhile& earlier) const override;
  void backward_weight(parallel::Saved& saved) const override;

 private:
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved,
                            parallel::Shade shade) const;
  void output_backward_weight(parallel::Saved& saved) const;
  // `output`: what is left of the output's.
  void backward_weight(parallel::Saved& saved, parallel::Meanwhile& output) const;

  parallel::TensorAxis axis_;
  kernels::HeadCounts heads_;  // of this rank
  parallel::ContextAttention attention_;
  double epsilon_;
  parallel::Parameter norm_;
  parallel::JoinedLinear projection_;        // to query, key and value
  std::vector<parallel::Parameter> biases_;  // of the projection, in runs as its matrices; or none
  parallel::Parameter output_;
  at::Tensor positions_;  // rope_table
};

}  // namespace phalanx::model

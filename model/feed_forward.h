#pragma once

#include "config/job.h"
#include "parallel/block.h"

namespace phalanx::model {

// y = x + down(swiglu(gate(n), up(n))), n = rms_norm(x): the second half of a layer.
// `layer` is "layers.I"; x and y [sequences, length, width].
class FeedForward : public parallel::Block {
 public:
  FeedForward(const config::Model& model, const std::string& layer,
              const parallel::Parameters& parameters);
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;

 private:
  double epsilon_;
  parallel::Parameter norm_;
  parallel::Parameter gate_up_;  // [2 * ffn_width, width]
  parallel::Parameter down_;
};

}  // namespace phalanx::model

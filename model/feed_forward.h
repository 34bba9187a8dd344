#pragma once

#include "config/job.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"
#include "parallel/joined_linear.h"
#include "parallel/tensor_axis.h"

namespace phalanx::model {

// y = x + down(swiglu(gate(n), up(n))), n = rms_norm(x): the second half of a layer.
// `layer` is "layers.I"; x and y are own tokens (parallel/tensor_axis.h). Tensor ranks have
// channels of their own.
class FeedForward : public parallel::Block {
 public:
  FeedForward(const config::Model& model, const std::string& layer,
              const parallel::Parameters& parameters, const parallel::AxisGroups& groups);
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;
  Backward backward(const at::Tensor& dy, parallel::Saved& saved,
                    parallel::Meanwhile& earlier) const override;

 private:
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved,
                            parallel::Meanwhile* earlier) const;

  parallel::TensorAxis axis_;
  double epsilon_;
  parallel::Parameter norm_;
  parallel::JoinedLinear gate_up_;
  parallel::Parameter down_;
};

}  // namespace phalanx::model

#pragma once

#include "config/job.h"
#include "model/experts.h"
#include "model/token_router.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"
#include "parallel/expert_dispatch.h"

namespace phalanx::model {

// The second half of a layer as a mixture of experts: y = x + sum over the token's chosen experts
// of weight * expert(n) + the shared expert's part, n = rms_norm(x); an expert is
// down(swiglu(gate(n), up(n))). With `qwen_moe` all tokens share one more, whose output is
// multiplied by sigmoid(shared_gate(n)) (Qwen Team 2024). `layer` is "layers.I"; x and y
// [sequences, length, width], or with several ranks on the tensor axis this rank's run of the
// flattened tokens, [1, tokens, width].
//
// `parameters` holds the experts that ExpertDispatch gives this rank of groups.expert, and no
// others are needed; the ranks of the tensor axis do not divide them.
class MoeFeedForward : public parallel::Block {
 public:
  MoeFeedForward(const config::Model& model, const std::string& layer,
                 const parallel::Parameters& parameters, const parallel::AxisGroups& groups = {});
  at::Tensor forward(const at::Tensor& x, parallel::Saved& saved) const override;
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved) const override;
  void backward_weight(parallel::Saved& saved) const override;
  Backward backward(const at::Tensor& dy, parallel::Saved& saved,
                    parallel::Meanwhile& earlier) const override;
  at::Tensor auxiliary_loss(const parallel::Saved& saved) const override;

 private:
  using Chunks = std::vector<parallel::ExpertDispatch::Chunk>;

  Chunks plan(parallel::Saved& saved) const;
  kernels::SequenceRun sequences(const at::Tensor& x) const;
  void add_shared(const at::Tensor& normed, at::Tensor& y, parallel::Saved& saved) const;
  // With `earlier` that is done, and then the routed experts' part of backward_weight, while rows
  // are on their way.
  at::Tensor backward_input(const at::Tensor& dy, parallel::Saved& saved,
                            parallel::Meanwhile* earlier) const;
  at::Tensor shared_backward_input(const at::Tensor& dy, parallel::Saved& saved) const;
  // Sets dnormed to the experts' part, the shared one's included; returns the gradient of the
  // router's weights. `earlier`: as backward_input.
  at::Tensor routed_backward_input(const at::Tensor& dy, at::Tensor& dnormed,
                                   parallel::Saved& saved, parallel::Meanwhile* earlier) const;
  void routed_backward_weight(const Chunks& chunks, parallel::Saved& saved) const;
  void rest_of_backward_weight(parallel::Saved& saved) const;

  std::int64_t length_;  // of a sequence, as far as this rank and those of the tensor axis hold it
  double epsilon_;
  std::vector<std::shared_ptr<comm::Group>> sharing_;  // of the ranks with the same sequences
  std::shared_ptr<comm::Group> tensor_;
  parallel::ExpertDispatch dispatch_;
  parallel::Parameter norm_;
  TokenRouter router_;
  Experts experts_;
  struct Shared {  // the expert of all tokens, if there is one
    parallel::Parameter gate_up, down, gate;
    bool present() const { return gate.value.defined(); }
  } shared_;
};

}  // namespace phalanx::model

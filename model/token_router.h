#pragma once

#include <memory>

#include "config/job.h"
#include "kernels/load_balance.h"
#include "kernels/router.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"

namespace phalanx::model {

// Chooses the experts of each token in fp32 (fp64 where the model computes in it) and balances
// them, by a loss and by a bias. The loss of a layer is, for every sequence of L tokens,
//   balance_loss * experts * sum over e of f_e P_e,   f_e = choices of e / L,  P_e = mean
//   probability
// times L, as all losses are sums over tokens (Fedus et al. 2022, "Switch Transformers", equations
// 4 to 6, for top-k as Mixtral's; over each sequence as in DeepSeek-V3, so that no cut of the batch
// changes it).
class TokenRouter {
 public:
  TokenRouter(const config::Model& model, parallel::Parameter weight, parallel::Parameter bias);

  // Of normed tokens [tokens, width], whose sequences `run` tells. What is kept of them: see Slot.
  enum Slot {
    kProbabilities,
    kExperts,  // int64 [tokens, chosen]
    kWeights,
    kLoad,           // of each sequence; summed over the ranks that share it once settle() has run
    kOwnLoad,        // [experts], of these tokens
    kBalanceLoss,    // one fp64 number [1]; undefined: none is asked for
    kLogitGradient,  // from backward_input on
    kSlots
  };
  using Saved = std::span<at::Tensor, kSlots>;
  // `sharing`: the groups whose ranks hold other tokens of the same sequences; null ones are of one
  // rank. Throws CommError.
  void forward(const at::Tensor& normed, kernels::SequenceRun run,
               std::span<const std::shared_ptr<comm::Group>> sharing, Saved saved) const;
  // The gradient of normed, in fp32, through the weights' gradient and the balancing loss.
  at::Tensor backward_input(const at::Tensor& dweights, kernels::SequenceRun run,
                            Saved saved) const;
  // Adds to the gradients; that of the bias counts the choices (layout::TensorSpec::counts_load).
  void backward_weight(const at::Tensor& normed, Saved saved) const;

 private:
  kernels::Routing routing(Saved saved) const;

  std::int64_t chosen_;
  kernels::ExpertWeights kind_;
  double balance_loss_;
  parallel::Parameter weight_, bias_;
};

}  // namespace phalanx::model

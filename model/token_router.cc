#include "model/token_router.h"

#include "kernels/linear.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::model {
namespace {

// Products of bf16 numbers are exact in fp32, so that only sums are rounded.
at::Tensor widened(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

kernels::ExpertWeights kind_of(const config::Model& model) {
  const auto& weights = model.router.weights;
  const bool of_chosen =
      weights == "preset" ? model.preset == "mixtral" : weights == "softmax_of_chosen";
  return of_chosen ? kernels::ExpertWeights::kSoftmaxOfChosen
                   : kernels::ExpertWeights::kSoftmaxOfAll;
}

}  // namespace

TokenRouter::TokenRouter(const config::Model& model, parallel::Parameter weight,
                         parallel::Parameter bias)
    : chosen_(model.experts_per_token),
      kind_(kind_of(model)),
      balance_loss_(model.router.balance_loss),
      weight_(std::move(weight)),
      bias_(std::move(bias)) {}

kernels::Routing TokenRouter::routing(Saved saved) const {
  return {saved[kProbabilities], saved[kExperts], saved[kWeights]};
}

void TokenRouter::forward(const at::Tensor& normed, kernels::SequenceRun run,
                          std::span<const std::shared_ptr<comm::Group>> sharing,
                          Saved saved) const {
  const auto logits = kernels::linear(widened(normed), widened(weight_.value));
  const auto routing = kernels::route(logits, bias_.value, chosen_, kind_);
  auto load = kernels::expert_load(routing.experts, routing.probabilities, run);
  saved[kProbabilities] = routing.probabilities;
  saved[kExperts] = routing.experts;
  saved[kWeights] = routing.weights;
  saved[kOwnLoad] = load.sum(0);
  if (balance_loss_ > 0) {
    for (const auto& group : sharing)
      if (group) group->all_reduce(parallel::buffer_of(load)).wait(comm::DeviceStream{});
    // Every token has chosen, so the choices tell the tokens of a sequence, wherever they are.
    const auto tokens = load.sum(1, /*keepdim=*/true).div_(chosen_);
    load.mul_(balance_loss_ * static_cast<double>(load.size(1))).div_(tokens);
    saved[kBalanceLoss] = kernels::balance_loss(routing.probabilities, load, run);
  }
  saved[kLoad] = load;
}

at::Tensor TokenRouter::backward_input(const at::Tensor& dweights, kernels::SequenceRun run,
                                       Saved saved) const {
  at::Tensor dprobabilities;
  if (balance_loss_ > 0)
    dprobabilities = kernels::load_of_tokens(saved[kLoad], dweights.size(0), run);
  saved[kLogitGradient] = kernels::route_backward(dweights, dprobabilities, routing(saved), kind_);
  return kernels::linear_backward_input(saved[kLogitGradient], widened(weight_.value));
}

void TokenRouter::backward_weight(const at::Tensor& normed, Saved saved) const {
  kernels::add_linear_backward_weight(saved[kLogitGradient], widened(normed), weight_.gradient);
  bias_.gradient.add_(saved[kOwnLoad]);
}

}  // namespace phalanx::model

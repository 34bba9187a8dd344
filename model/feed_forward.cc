#include "model/feed_forward.h"

#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/swiglu.h"

namespace phalanx::model {
namespace {

enum Slot {
  kInput,
  kInverseRms,
  kGateUp,  // side by side; their gradient once backward_input has run
  kNormed,  // from backward_input on: so is the next
  kHidden,
  kNormGradient,
  kOutputGradient,  // of all tokens
  kSlots
};

}  // namespace

FeedForward::FeedForward(const config::Model& model, const std::string& layer,
                         const parallel::Parameters& parameters, const parallel::AxisGroups& groups)
    : Block(layer + ".ffn"),
      axis_(groups, model.sequence_length),
      epsilon_(model.norm_epsilon),
      norm_(own(parameters, layer + ".ffn_norm.weight")),
      gate_up_(axis_, own_joined(parameters, {name() + ".gate.weight", name() + ".up.weight"})),
      down_(own(parameters, name() + ".down.weight")) {}

at::Tensor FeedForward::forward(const at::Tensor& x, parallel::Saved& saved) const {
  const auto normed = kernels::rms_norm(x, norm_.value, epsilon_);
  saved.assign(kSlots, {});
  saved[kInput] = x;
  saved[kInverseRms] = normed.inverse_rms;
  saved[kGateUp] = gate_up_.forward(normed.y);
  return axis_.row_linear_plus(kernels::swiglu(saved[kGateUp]), down_.value, x);
}

at::Tensor FeedForward::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  return backward_input(dy, saved, nullptr);
}

parallel::Block::Backward FeedForward::backward(const at::Tensor& dy, parallel::Saved& saved,
                                                parallel::Meanwhile& earlier) const {
  if (axis_.alone()) return Block::backward(dy, saved, earlier);
  return {backward_input(dy, saved, &earlier),
          parallel::Meanwhile([&] { backward_weight(saved); })};
}

at::Tensor FeedForward::backward_input(const at::Tensor& dy, parallel::Saved& saved,
                                       parallel::Meanwhile* earlier) const {
  auto [dhidden, dy_of_all] = axis_.row_backward_input(dy, down_.value, earlier);
  kernels::swiglu_backward(dhidden, saved[kGateUp]);
  auto dnormed = gate_up_.backward_input(saved[kGateUp]);
  auto norm =
      kernels::rms_norm_backward(dnormed, saved[kInput], norm_.value, saved[kInverseRms], dy);
  saved[kHidden] = dhidden;
  saved[kNormed] = dnormed;
  saved[kNormGradient] = norm.dweight;
  saved[kOutputGradient] = dy_of_all;
  return norm.dx;
}

void FeedForward::backward_weight(parallel::Saved& saved) const {
  auto normed = axis_.start_gather(saved[kNormed]);
  kernels::add_linear_backward_weight(saved[kOutputGradient], saved[kHidden], down_.gradient);
  gate_up_.backward_weight(saved[kGateUp], normed.wait());
  norm_.gradient.add_(saved[kNormGradient]);
}

}  // namespace phalanx::model

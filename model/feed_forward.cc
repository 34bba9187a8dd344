#include "model/feed_forward.h"

#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/swiglu.h"

namespace phalanx::model {
namespace {

enum Slot {
  kInput,
  kInverseRms,
  kNormed,
  kGate,  // its gradient once backward_input has run: so is the next
  kUp,
  kHidden,
  kNormGradient,
  kOutputGradient,
  kSlots
};

}  // namespace

FeedForward::FeedForward(const config::Model& model, const std::string& layer,
                         const parallel::Parameters& parameters)
    : Block(layer + ".ffn"),
      epsilon_(model.norm_epsilon),
      norm_(own(parameters, layer + ".ffn_norm.weight")),
      gate_(own(parameters, name() + ".gate.weight")),
      up_(own(parameters, name() + ".up.weight")),
      down_(own(parameters, name() + ".down.weight")) {}

at::Tensor FeedForward::forward(const at::Tensor& x, parallel::Saved& saved) const {
  const auto normed = kernels::rms_norm(x, norm_.value, epsilon_);
  saved.assign(kSlots, {});
  saved[kInput] = x;
  saved[kInverseRms] = normed.inverse_rms;
  saved[kNormed] = normed.y;
  saved[kGate] = kernels::linear(normed.y, gate_.value);
  saved[kUp] = kernels::linear(normed.y, up_.value);
  saved[kHidden] = kernels::swiglu(saved[kGate], saved[kUp]);
  return kernels::linear_plus(saved[kHidden], down_.value, x);
}

at::Tensor FeedForward::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  const auto dhidden = kernels::linear_backward_input(dy, down_.value);
  kernels::swiglu_backward(dhidden, saved[kGate], saved[kUp]);
  auto dnormed = kernels::linear_backward_input(saved[kGate], gate_.value);
  kernels::add_linear_backward_input(saved[kUp], up_.value, dnormed);
  auto norm =
      kernels::rms_norm_backward(dnormed, saved[kInput], norm_.value, saved[kInverseRms], dy);
  saved[kNormGradient] = norm.dweight;
  saved[kOutputGradient] = dy;
  return norm.dx;
}

void FeedForward::backward_weight(parallel::Saved& saved) const {
  kernels::add_linear_backward_weight(saved[kOutputGradient], saved[kHidden], down_.gradient);
  kernels::add_linear_backward_weight(saved[kUp], saved[kNormed], up_.gradient);
  kernels::add_linear_backward_weight(saved[kGate], saved[kNormed], gate_.gradient);
  norm_.gradient.add_(saved[kNormGradient]);
}

}  // namespace phalanx::model

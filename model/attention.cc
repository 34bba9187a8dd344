#include "model/attention.h"

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/rope.h"

namespace phalanx::model {
namespace {

enum Slot {
  kInput,
  kInverseRms,
  kNormed,
  kQuery,  // after rope; its gradient, before rope, once backward_input has run: so are the next
           // two
  kKey,
  kValue,
  kAttended,
  kLogSumExp,
  kNormGradient,
  kOutputGradient,
  kSlots
};

}  // namespace

Attention::Attention(const config::Model& model, const std::string& layer,
                     const parallel::Parameters& parameters)
    : Block(layer + ".attention"),
      heads_{model.heads, model.kv_heads},
      epsilon_(model.norm_epsilon),
      norm_(own(parameters, layer + ".attention_norm.weight")),
      query_(own(parameters, name() + ".query.weight")),
      key_(own(parameters, name() + ".key.weight")),
      value_(own(parameters, name() + ".value.weight")),
      output_(own(parameters, name() + ".output.weight")),
      positions_(kernels::rope_table(0, model.sequence_length, model.width / model.heads,
                                     model.rope_theta, norm_.value.scalar_type())) {}

at::Tensor Attention::forward(const at::Tensor& x, parallel::Saved& saved) const {
  const auto normed = kernels::rms_norm(x, norm_.value, epsilon_);
  auto query = kernels::linear(normed.y, query_.value);
  auto key = kernels::linear(normed.y, key_.value);
  const auto value = kernels::linear(normed.y, value_.value);
  kernels::rope(query, positions_);
  kernels::rope(key, positions_);
  const auto attended = kernels::attention(query, key, value, heads_);

  saved.assign(kSlots, {});
  saved[kInput] = x;
  saved[kInverseRms] = normed.inverse_rms;
  saved[kNormed] = normed.y;
  saved[kQuery] = query;
  saved[kKey] = key;
  saved[kValue] = value;
  saved[kAttended] = attended.out;
  saved[kLogSumExp] = attended.log_sum_exp;
  return kernels::linear_plus(attended.out, output_.value, x);
}

at::Tensor Attention::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  const auto dattended = kernels::linear_backward_input(dy, output_.value);
  at::Tensor &query = saved[kQuery], &key = saved[kKey], &value = saved[kValue];
  kernels::attention_backward(dattended, query, key, value, {saved[kAttended], saved[kLogSumExp]},
                              heads_);
  kernels::rope_backward(query, positions_);
  kernels::rope_backward(key, positions_);
  auto dnormed = kernels::linear_backward_input(query, query_.value);
  kernels::add_linear_backward_input(key, key_.value, dnormed);
  kernels::add_linear_backward_input(value, value_.value, dnormed);
  auto norm =
      kernels::rms_norm_backward(dnormed, saved[kInput], norm_.value, saved[kInverseRms], dy);

  saved[kNormGradient] = norm.dweight;
  saved[kOutputGradient] = dy;
  return norm.dx;
}

void Attention::backward_weight(parallel::Saved& saved) const {
  kernels::add_linear_backward_weight(saved[kOutputGradient], saved[kAttended], output_.gradient);
  kernels::add_linear_backward_weight(saved[kValue], saved[kNormed], value_.gradient);
  kernels::add_linear_backward_weight(saved[kKey], saved[kNormed], key_.gradient);
  kernels::add_linear_backward_weight(saved[kQuery], saved[kNormed], query_.gradient);
  norm_.gradient.add_(saved[kNormGradient]);
}

}  // namespace phalanx::model

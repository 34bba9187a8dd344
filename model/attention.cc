#include "model/attention.h"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "kernels/attention.h"
#include "kernels/bias.h"
#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/rope.h"
#include "parallel/to_device.h"

namespace phalanx::model {
namespace {

enum Slot {
  kInput,
  kInverseRms,
  kProjected,  // queries, keys and values side by side, after rope; their gradient, before rope,
               // once backward_input has run
  kAttended,
  kNormed,  // from backward_input on
  kNormGradient,
  kOutputGradient,  // of all tokens
  kSlots            // what attention itself keeps follows
};

// Columns of what one product has computed for query, key and value.
struct Parts {
  at::Tensor query, key, value;
  at::Tensor turned;  // by rope: query and key
};

Parts parts_of(const at::Tensor& projected, kernels::HeadCounts heads) {
  const auto head_width = projected.size(2) / (heads.query + 2 * heads.key_value);
  const auto query = heads.query * head_width, key = heads.key_value * head_width;
  return {projected.narrow(2, 0, query), projected.narrow(2, query, key),
          projected.narrow(2, query + key, key), projected.narrow(2, 0, query + key)};
}

at::Tensor joined(const std::vector<parallel::Parameter>& biases) {
  if (biases.size() == 1) return biases.front().value;
  std::vector<at::Tensor> values;
  for (const auto& bias : biases) values.push_back(bias.value);
  return at::cat(values);
}

}  // namespace

Attention::Attention(const config::Model& model, const std::string& layer,
                     const parallel::Parameters& parameters, const parallel::AxisGroups& groups)
    : Block(layer + ".attention"),
      axis_(groups, model.sequence_length),
      heads_{model.heads / axis_.size(), std::max<std::int64_t>(1, model.kv_heads / axis_.size())},
      attention_(groups, heads_),
      epsilon_(model.norm_epsilon),
      norm_(own(parameters, layer + ".attention_norm.weight")),
      projection_(axis_, own_joined(parameters, {name() + ".query.weight", name() + ".key.weight",
                                                 name() + ".value.weight"})),
      biases_(parameters.contains(name() + ".query.bias")
                  ? own_joined(parameters, {name() + ".query.bias", name() + ".key.bias",
                                            name() + ".value.bias"})
                  : std::vector<parallel::Parameter>()),
      output_(own(parameters, name() + ".output.weight")),
      positions_(
          parallel::to_device(kernels::rope_table(groups.own_positions(model.sequence_length),
                                                  model.width / model.heads, model.rope_theta,
                                                  norm_.value.scalar_type()),
                              norm_.value.device())) {}

at::Tensor Attention::forward(const at::Tensor& x, parallel::Saved& saved) const {
  const auto normed = kernels::rms_norm(x, norm_.value, epsilon_);
  auto projected = projection_.forward(normed.y);
  if (!biases_.empty()) kernels::add_bias(projected, joined(biases_));
  auto parts = parts_of(projected, heads_);
  kernels::rope(parts.turned, positions_);
  saved.assign(kSlots, {});
  const auto attended = attention_.forward(parts.query, parts.key, parts.value, saved);
  saved[kInput] = x;
  saved[kInverseRms] = normed.inverse_rms;
  saved[kProjected] = projected;
  saved[kAttended] = attended;
  return axis_.row_linear_plus(attended, output_.value, x);
}

at::Tensor Attention::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  return backward_input(dy, saved, {});
}

parallel::Block::Backward Attention::backward(const at::Tensor& dy, parallel::Saved& saved,
                                              parallel::Meanwhile& earlier) const {
  if (axis_.alone() && !attention_.moves()) return Block::backward(dy, saved, earlier);
  parallel::Meanwhile output([&] { output_backward_weight(saved); });
  // Where tokens are gathered for the projection's weight, that is the time for the output's.
  auto dx = backward_input(dy, saved, {&earlier, axis_.alone() ? &output : nullptr});
  return {std::move(dx),
          parallel::Meanwhile([&, output]() mutable { backward_weight(saved, output); })};
}

at::Tensor Attention::backward_input(const at::Tensor& dy, parallel::Saved& saved,
                                     parallel::Shade shade) const {
  const auto [dattended, dy_of_all] = axis_.row_backward_input(dy, output_.value, shade.first);
  saved[kOutputGradient] = dy_of_all;
  auto parts = parts_of(saved[kProjected], heads_);
  attention_.backward(dattended, parts.query, parts.key, parts.value, saved[kAttended], saved,
                      kSlots, shade);
  kernels::rope_backward(parts.turned, positions_);
  auto dnormed = projection_.backward_input(saved[kProjected]);
  auto norm =
      kernels::rms_norm_backward(dnormed, saved[kInput], norm_.value, saved[kInverseRms], dy);

  saved[kNormed] = dnormed;
  saved[kNormGradient] = norm.dweight;
  return norm.dx;
}

void Attention::backward_weight(parallel::Saved& saved) const {
  parallel::Meanwhile output([&] { output_backward_weight(saved); });
  backward_weight(saved, output);
}

void Attention::output_backward_weight(parallel::Saved& saved) const {
  kernels::add_linear_backward_weight(saved[kOutputGradient], saved[kAttended], output_.gradient);
}

void Attention::backward_weight(parallel::Saved& saved, parallel::Meanwhile& output) const {
  auto normed = axis_.start_gather(saved[kNormed]);
  output();
  projection_.backward_weight(saved[kProjected], normed.wait());
  std::int64_t first = 0;
  for (const auto& bias : biases_) {
    const auto columns = saved[kProjected].narrow(2, first, bias.value.numel());
    kernels::add_bias_backward(columns.contiguous(), bias.gradient);
    first += bias.value.numel();
  }
  norm_.gradient.add_(saved[kNormGradient]);
}

}  // namespace phalanx::model

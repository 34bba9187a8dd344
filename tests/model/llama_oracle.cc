#include "tests/model/llama_oracle.h"

#include <cmath>

namespace phalanx::model {
namespace {

at::Tensor norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return x * at::rsqrt(x.square().mean(-1, true) + epsilon) * weight;
}

at::Tensor rotate(const at::Tensor& x, double theta) {  // [n, heads, length, head_width]
  const auto length = x.size(2), width = x.size(3);
  const auto frequency = at::pow(theta, -at::arange(0, width, 2, at::kDouble) / width);
  const auto angle = at::outer(at::arange(length, at::kDouble), frequency);
  const auto both = at::cat({angle, angle}, 1);
  const auto turned = at::cat({-x.narrow(3, width / 2, width / 2), x.narrow(3, 0, width / 2)}, 3);
  return x * both.cos() + turned * both.sin();
}

}  // namespace

at::Tensor oracle_logits(const config::Model& model,
                         const std::map<std::string, at::Tensor>& weights,
                         const at::Tensor& tokens) {
  const auto n = tokens.size(0), length = tokens.size(1), head_width = model.width / model.heads;
  const auto future = at::ones({length, length}, at::kBool).triu(1);
  auto x = weights.at("embedding.weight").index_select(0, tokens.view(-1)).view({n, length, -1});
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const auto weight = [&](const std::string& name) {
      return weights.at("layers." + std::to_string(i) + "." + name + ".weight");
    };
    const auto h = norm(x, weight("attention_norm"), model.norm_epsilon);
    const auto heads_of = [&](const std::string& name) {
      return at::matmul(h, weight("attention." + name).t())
          .view({n, length, -1, head_width})
          .transpose(1, 2);
    };
    const auto group = model.heads / model.kv_heads;
    const auto q = rotate(heads_of("query"), model.rope_theta);
    const auto k = rotate(heads_of("key"), model.rope_theta).repeat_interleave(group, 1);
    const auto v = heads_of("value").repeat_interleave(group, 1);
    const auto scores =
        at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(head_width));
    const auto attended = at::matmul(scores.masked_fill(future, -INFINITY).softmax(-1), v);
    x = x + at::matmul(attended.transpose(1, 2).reshape({n, length, -1}),
                       weight("attention.output").t());

    const auto f = norm(x, weight("ffn_norm"), model.norm_epsilon);
    const auto gate = at::matmul(f, weight("ffn.gate").t());
    const auto up = at::matmul(f, weight("ffn.up").t());
    x = x + at::matmul(gate * gate.sigmoid() * up, weight("ffn.down").t());
  }
  return at::matmul(norm(x, weights.at("norm.weight"), model.norm_epsilon),
                    weights.at("head.weight").t());
}

at::Tensor oracle_loss(const config::Model& model, const std::map<std::string, at::Tensor>& weights,
                       const at::Tensor& inputs, const at::Tensor& targets) {
  const auto logits = oracle_logits(model, weights, inputs);
  return -logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).sum();
}

}  // namespace phalanx::model

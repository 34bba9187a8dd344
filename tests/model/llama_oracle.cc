#include "tests/model/llama_oracle.h"

#include <cmath>
#include <functional>

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

using Weight = std::function<at::Tensor(const std::string& name)>;

at::Tensor swiglu(const at::Tensor& x, const std::string& prefix, const Weight& weight) {
  const auto gate = at::matmul(x, weight(prefix + "gate").t());
  const auto up = at::matmul(x, weight(prefix + "up").t());
  return at::matmul(gate * gate.sigmoid() * up, weight(prefix + "down").t());
}

// x [n, length, width]; adds the layer's balancing loss to `balance`.
at::Tensor mixture(const config::Model& model, const at::Tensor& x, const Weight& weight,
                   const at::Tensor& bias, at::Tensor& balance) {
  const auto probabilities = at::matmul(x, weight("ffn.router").t()).softmax(-1);
  const auto chosen = std::get<1>((probabilities.detach() + bias).topk(model.experts_per_token));
  const auto mask = at::zeros_like(probabilities).scatter(2, chosen, 1.0);
  auto weights = probabilities * mask;
  if (model.preset == "mixtral") weights = weights / weights.sum(-1, true);
  const auto length = static_cast<double>(x.size(1));
  balance = balance + (mask.mean(1) * probabilities.mean(1)).sum() * length * model.experts *
                          model.router.balance_loss;
  auto y = at::zeros_like(x);
  for (std::int64_t e = 0; e < model.experts; ++e)
    y = y + weights.select(2, e).unsqueeze(2) *
                swiglu(x, "ffn.experts." + std::to_string(e) + ".", weight);
  if (model.preset == "mixtral") return y;
  const auto gate = at::matmul(x, weight("ffn.shared_gate").t()).sigmoid();
  return y + gate * swiglu(x, "ffn.shared_expert.", weight);
}

}  // namespace

at::Tensor oracle_logits(const config::Model& model,
                         const std::map<std::string, at::Tensor>& weights, const at::Tensor& tokens,
                         at::Tensor* balance) {
  auto balancing = at::zeros({}, at::kDouble);
  const auto n = tokens.size(0), length = tokens.size(1), head_width = model.width / model.heads;
  const auto future = at::ones({length, length}, at::kBool).triu(1);
  auto x = weights.at("embedding.weight").index_select(0, tokens.view(-1)).view({n, length, -1});
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const auto layer = "layers." + std::to_string(i) + ".";
    const auto weight = [&](const std::string& name) {
      return weights.at(layer + name + ".weight");
    };
    const auto linear = [&](const at::Tensor& x, const std::string& name) {
      const auto y = at::matmul(x, weight(name).t());
      const auto bias = weights.find(layer + name + ".bias");
      return bias == weights.end() ? y : y + bias->second;
    };
    const auto h = norm(x, weight("attention_norm"), model.norm_epsilon);
    const auto heads_of = [&](const std::string& name) {
      return linear(h, "attention." + name).view({n, length, -1, head_width}).transpose(1, 2);
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
    x = x + (model.experts == 0
                 ? swiglu(f, "ffn.", weight)
                 : mixture(model, f, weight, weights.at(layer + "ffn.router.bias"), balancing));
  }
  if (balance != nullptr) *balance = balancing;
  return at::matmul(norm(x, weights.at("norm.weight"), model.norm_epsilon),
                    weights.at("head.weight").t());
}

at::Tensor oracle_loss(const config::Model& model, const std::map<std::string, at::Tensor>& weights,
                       const at::Tensor& inputs, const at::Tensor& targets) {
  at::Tensor balance;
  const auto logits = oracle_logits(model, weights, inputs, &balance);
  return balance - logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).sum();
}

}  // namespace phalanx::model

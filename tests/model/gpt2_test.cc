// The `gpt2` preset against plain ATen operations and autograd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/model/small_model.h"

namespace phalanx::model {
namespace {

using test::relative_error;
using test::same_bits;

config::Model small_gpt2() {
  config::Model model;
  model.preset = "gpt2";
  model.layers = 2;
  model.width = 20;
  model.heads = model.kv_heads = 4;
  model.ffn_width = 37;
  model.sequence_length = 70;
  model.vocab_size = 101;
  return model;
}

at::Tensor oracle_logits(const config::Model& model,
                         const std::map<std::string, at::Tensor>& weights,
                         const at::Tensor& tokens) {
  const auto n = tokens.size(0), length = tokens.size(1);
  const auto future = at::ones({length, length}, at::kBool).triu(1);
  const auto norm = [&](const at::Tensor& x, const std::string& name) {
    return at::layer_norm(x, {model.width}, weights.at(name + ".weight"),
                          weights.at(name + ".bias"), model.norm_epsilon);
  };
  const auto linear = [&](const at::Tensor& x, const std::string& name) {
    return at::matmul(x, weights.at(name + ".weight").t()) + weights.at(name + ".bias");
  };
  auto x = weights.at("embedding.weight").index_select(0, tokens.view(-1)).view({n, length, -1}) +
           weights.at("position.weight").narrow(0, 0, length);
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const auto h = norm(x, layer + "attention_norm");
    const auto heads_of = [&](const std::string& name) {
      return linear(h, layer + "attention." + name)
          .view({n, length, model.heads, -1})
          .transpose(1, 2);
    };
    const auto q = heads_of("query"), k = heads_of("key"), v = heads_of("value");
    const auto scores =
        at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
    const auto attended = at::matmul(scores.masked_fill(future, -INFINITY).softmax(-1), v);
    x = x + linear(attended.transpose(1, 2).reshape({n, length, -1}), layer + "attention.output");
    const auto hidden = at::gelu(linear(norm(x, layer + "ffn_norm"), layer + "ffn.up"), "tanh");
    x = x + linear(hidden, layer + "ffn.down");
  }
  return at::matmul(norm(x, "norm"), weights.at("embedding.weight").t());
}

TEST(Gpt2, HasTheLossAndEveryGradientOfAutograd) {
  const auto model = small_gpt2();
  for (const auto& [sequences, length] : {std::pair{3, 70}, {1, 2}, {2, 13}}) {
    const auto parameters = parameters_of(model);
    const auto batch = batch_of(model, sequences, length, 1);
    const auto weights = leaves(parameters);
    const auto logits = oracle_logits(model, weights, batch.inputs);
    const auto expected = -logits.log_softmax(-1).gather(2, batch.targets.unsqueeze(2)).sum();
    expected.backward();

    const Transformer gpt2(model, parameters);
    EXPECT_NEAR(run(gpt2, batch) / expected.item<double>(), 1, 1e-12);
    EXPECT_NEAR(gpt2.loss(batch) / expected.item<double>(), 1, 1e-12);
    for (const auto& [name, parameter] : parameters) {
      // A bias that keys share moves every score of a query alike: its gradient is nothing.
      if (name.ends_with("key.bias")) {
        EXPECT_LE(parameter.gradient.norm().item<double>(), 1e-12) << name;
      } else {
        EXPECT_LE(relative_error(parameter.gradient, weights.at(name).grad()), 1e-10) << name;
      }
    }
  }
}

TEST(Gpt2, GivesTheLogitsOfTheLastPosition) {
  const auto model = small_gpt2();
  const auto parameters = parameters_of(model);
  const auto tokens = batch_of(model, 3, 17, 1).inputs;
  const auto expected = oracle_logits(model, leaves(parameters), tokens).select(1, 16);
  EXPECT_LE(relative_error(Transformer(model, parameters).logits(tokens), expected), 1e-12);
}

// Matrices in bf16, the rest and gradients in fp32, as training in bf16 has them.
TEST(Gpt2, InBf16IsWithinRoundingOfFp64) {
  const auto model = small_gpt2();
  const auto rounded = parameters_of(model, at::kFloat, at::kBFloat16);
  const auto exact = parameters_of(model);
  for (const auto& [name, parameter] : rounded) exact.at(name).value.copy_(parameter.value);
  const auto batch = batch_of(model, 2, 33, 1);
  EXPECT_NEAR(run(Transformer(model, rounded), batch) / run(Transformer(model, exact), batch), 1,
              1e-2);
  // All gradients as one vector: those of queries and keys alone nearly cancel.
  double difference = 0, whole = 0;
  for (const auto& [name, parameter] : exact) {
    const auto found = rounded.at(name).gradient.to(at::kDouble);
    difference += (found - parameter.gradient).square().sum().item<double>();
    whole += parameter.gradient.square().sum().item<double>();
  }
  EXPECT_LE(std::sqrt(difference / whole), 2e-2);
}

// The head's part of the table's gradient comes first, the embedding's last.
TEST(Gpt2, ReportsEveryGradientWhenItIsCompleteAndTheTiedOneOfBoth) {
  const auto model = small_gpt2();
  const auto batch = batch_of(model, 2, 9, 1);
  const auto expected = parameters_of(model), found = parameters_of(model);
  run(Transformer(model, expected), batch);

  const Transformer gpt2(model, found);
  Activations saved;
  gpt2.forward(batch, saved);
  std::vector<std::string> order;
  gpt2.backward(saved, [&](const std::string& name) {
    order.push_back(name);
    if (name == "embedding.weight" && std::ranges::count(order, name) == 1) return;
    EXPECT_TRUE(same_bits(found.at(name).gradient, expected.at(name).gradient)) << name;
  });
  std::vector<std::string> names = {"embedding.weight"};
  for (const auto& spec : layout::tensor_specs(model)) names.push_back(spec.name);
  EXPECT_THAT(order, testing::UnorderedElementsAreArray(names));
  EXPECT_EQ(order.back(), "embedding.weight");
}

}  // namespace
}  // namespace phalanx::model

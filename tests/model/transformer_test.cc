#include "model/transformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ranges>

#include "layout/tensor_spec.h"
#include "model/initialize.h"
#include "tests/kernels/tensors.h"
#include "tests/model/llama_oracle.h"
#include "tests/model/small_model.h"

namespace phalanx::model {
namespace {

using test::relative_error;
using test::same_bits;

config::Model small_llama(std::int64_t heads = 4, std::int64_t kv_heads = 2) {
  config::Model model;
  model.layers = 2;
  model.width = heads * 6;
  model.heads = heads;
  model.kv_heads = kv_heads;
  model.ffn_width = 37;
  model.sequence_length = 70;
  model.vocab_size = 101;
  return model;
}

struct Case {
  std::int64_t heads, kv_heads, sequences, length;
  double theta;
};
class LlamaOf : public testing::TestWithParam<Case> {};

TEST_P(LlamaOf, HasTheLossAndEveryGradientOfAutograd) {
  const Case c = GetParam();
  auto model = small_llama(c.heads, c.kv_heads);
  model.rope_theta = c.theta;
  const auto parameters = parameters_of(model);
  const auto batch = batch_of(model, c.sequences, c.length, 1);
  const auto weights = leaves(parameters);
  const auto expected = oracle_loss(model, weights, batch.inputs, batch.targets);
  expected.backward();

  const Transformer llama(model, parameters);
  EXPECT_NEAR(run(llama, batch) / expected.item<double>(), 1, 1e-12);
  EXPECT_NEAR(llama.loss(batch) / expected.item<double>(), 1, 1e-12);
  for (const auto& [name, parameter] : parameters)
    EXPECT_LE(relative_error(parameter.gradient, weights.at(name).grad()), 1e-10) << name;
}

INSTANTIATE_TEST_SUITE_P(Shapes, LlamaOf,
                         testing::Values(Case{4, 4, 2, 13, 10000.0}, Case{4, 2, 3, 70, 10000.0},
                                         Case{4, 1, 1, 65, 500000.0}, Case{3, 3, 1, 2, 500000.0}));

TEST(Llama, InFp32IsWithinRoundingOfFp64) {
  const auto model = small_llama();
  const auto exact = parameters_of(model), rounded = parameters_of(model, at::kFloat);
  const auto batch = batch_of(model, 2, 33, 1);
  EXPECT_NEAR(run(Transformer(model, rounded), batch) / run(Transformer(model, exact), batch), 1,
              1e-5);
  for (const auto& [name, parameter] : exact)
    EXPECT_LE(relative_error(rounded.at(name).gradient, parameter.gradient), 1e-4) << name;
}

// Matrices in bf16, norms and gradients in fp32, as training in bf16 has them.
TEST(Llama, InBf16IsWithinRoundingOfFp64) {
  const auto model = small_llama();
  const auto exact = parameters_of(model),
             rounded = parameters_of(model, at::kFloat, at::kBFloat16);
  for (const auto& [name, parameter] : rounded) exact.at(name).value.copy_(parameter.value);
  const auto batch = batch_of(model, 2, 33, 1);
  EXPECT_NEAR(run(Transformer(model, rounded), batch) / run(Transformer(model, exact), batch), 1,
              1e-2);
  for (const auto& [name, parameter] : exact)
    EXPECT_LE(relative_error(rounded.at(name).gradient, parameter.gradient), 5e-2) << name;
}

TEST(Llama, AddsTheGradientsOfMicroBatches) {
  const auto model = small_llama();
  const auto first = parameters_of(model), second = parameters_of(model),
             both = parameters_of(model);
  const auto a = batch_of(model, 2, 9, 1), b = batch_of(model, 1, 9, 2);
  run(Transformer(model, first), a);
  run(Transformer(model, second), b);
  run(Transformer(model, both), a);
  run(Transformer(model, both), b);
  for (const auto& [name, parameter] : both)
    EXPECT_LE(
        relative_error(parameter.gradient, first.at(name).gradient + second.at(name).gradient),
        1e-13)
        << name;
}

TEST(Llama, RepeatsBitForBit) {
  const auto model = small_llama();
  const auto first = parameters_of(model, at::kFloat), second = parameters_of(model, at::kFloat);
  const auto batch = batch_of(model, 2, 70, 1);
  EXPECT_EQ(run(Transformer(model, first), batch), run(Transformer(model, second), batch));
  for (const auto& [name, parameter] : first)
    EXPECT_TRUE(same_bits(parameter.gradient, second.at(name).gradient)) << name;
}

// As a zero-bubble schedule does: two micro-batches, all input gradients first.
TEST(Llama, GivesTheSameBitsWhenWeightGradientsAreDelayed) {
  const auto model = small_llama();
  const auto at_once = parameters_of(model, at::kFloat), delayed = parameters_of(model, at::kFloat);
  const std::vector batches{batch_of(model, 2, 33, 1), batch_of(model, 2, 33, 2)};
  for (const auto& batch : batches) run(Transformer(model, at_once), batch);

  const Transformer llama(model, delayed);
  std::vector<Activations> saved(batches.size());
  for (std::size_t m = 0; m < batches.size(); ++m) {
    llama.forward(batches[m], saved[m]);
    auto dy = saved[m].dlogits;
    for (std::size_t i = llama.blocks().size(); i-- > 0;)
      dy = llama.blocks()[i]->backward_input(dy, saved[m].chunk.blocks[i]);
  }
  for (const auto& [name, parameter] : delayed)
    EXPECT_FALSE(parameter.gradient.any().item<bool>()) << name << " was touched too early";
  for (auto& activations : saved)
    for (std::size_t i = 0; i < llama.blocks().size(); ++i)
      llama.blocks()[i]->backward_weight(activations.chunk.blocks[i]);
  for (const auto& [name, parameter] : delayed)
    EXPECT_TRUE(same_bits(parameter.gradient, at_once.at(name).gradient)) << name;
}

TEST(Llama, ReportsEveryGradientOnceWhenItIsCompleteAndFreesTheActivations) {
  const auto model = small_llama();
  const auto batch = batch_of(model, 2, 9, 1);
  const auto expected = parameters_of(model), found = parameters_of(model);
  run(Transformer(model, expected), batch);

  const Transformer llama(model, found);
  Activations saved;
  llama.forward(batch, saved);
  std::vector<std::string> order;
  llama.backward(saved, [&](const std::string& name) {
    EXPECT_TRUE(same_bits(found.at(name).gradient, expected.at(name).gradient)) << name;
    order.push_back(name);
  });
  std::vector<std::string> names;
  for (const auto& spec : layout::tensor_specs(model)) names.push_back(spec.name);
  std::ranges::reverse(names);
  EXPECT_EQ(order, names);
  EXPECT_TRUE(saved.chunk.blocks.empty());
}

TEST(Llama, GivesTheLogitsOfTheLastPosition) {
  const auto model = small_llama();
  const auto parameters = parameters_of(model);
  const auto tokens = batch_of(model, 3, 17, 1).inputs;
  const auto expected = oracle_logits(model, leaves(parameters), tokens).select(1, 16);
  const auto found = Transformer(model, parameters).logits(tokens);
  EXPECT_EQ(found.sizes(), (at::IntArrayRef{3, 101}));
  EXPECT_LE(relative_error(found, expected), 1e-12);
}

// As where fewer heads of keys than tensor ranks are held by several, and queries by one.
TEST(Llama, ComputesTheSameWhereJoinedMatricesLieApart) {
  const auto model = small_llama();
  const auto together = parameters_of(model);
  auto apart = parameters_of(model);
  for (const auto* name : {"layers.0.attention.key.weight", "layers.1.ffn.up.weight"}) {
    apart.at(name).value = apart.at(name).value.clone();
    apart.at(name).gradient = apart.at(name).gradient.clone();
  }
  const auto batch = batch_of(model, 2, 33, 1);
  EXPECT_NEAR(run(Transformer(model, apart), batch) / run(Transformer(model, together), batch), 1,
              1e-13);
  for (const auto& [name, parameter] : together)
    EXPECT_LE(relative_error(apart.at(name).gradient, parameter.gradient), 1e-12) << name;
}

TEST(LlamaDeathTest, RefusesParametersThatDoNotFitTheModel) {
  const auto model = small_llama();
  auto parameters = parameters_of(model);
  parameters.at("head.weight").value = at::zeros({2, 2}, at::kDouble);
  EXPECT_DEATH(Transformer(model, parameters), "head.weight");
  parameters = parameters_of(model);
  parameters.erase("head.weight");
  EXPECT_DEATH(Transformer(model, parameters), "no parameter head.weight");
}

}  // namespace
}  // namespace phalanx::model

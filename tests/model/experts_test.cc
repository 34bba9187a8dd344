#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ranges>

#include "layout/tensor_spec.h"
#include "model/moe_feed_forward.h"
#include "tests/kernels/tensors.h"
#include "tests/model/llama_oracle.h"
#include "tests/model/small_model.h"

namespace phalanx::model {
namespace {

using test::same_bits;

bool counts_load(const std::string& name) { return name.ends_with("router.bias"); }

// |found - expected| <= error * |expected|, also where all is zero.
void expect_near(const at::Tensor& found, const at::Tensor& expected, double error,
                 const std::string& name) {
  const auto exact = expected.to(at::kDouble);
  EXPECT_LE((found.to(at::kDouble) - exact).norm().item<double>(),
            error * exact.norm().item<double>())
      << name;
}

class ExpertsOf : public testing::TestWithParam<const char*> {
 protected:
  ExpertsOf() {
    model_.preset = GetParam();
    model_.layers = 2;
    model_.width = 24;
    model_.heads = 4;
    model_.kv_heads = 2;
    model_.ffn_width = 37;
    model_.sequence_length = 70;
    model_.vocab_size = 101;
    model_.experts = 6;
    model_.experts_per_token = 2;
    if (model_.preset == "qwen_moe") model_.expert_width = 19;
    model_.router.balance_loss = 0.3;
  }

  // Biases that change some choices, and that leave expert 5 of the last layer without tokens.
  parallel::Parameters parameters(at::ScalarType type = at::kDouble) const {
    auto parameters = parameters_of(model_, type);
    for (const auto& [name, parameter] : parameters)
      if (counts_load(name)) parameter.value.sub_(1).mul_(0.1);
    parameters.at("layers.1.ffn.router.bias").value[5] = -2;
    return parameters;
  }

  config::Model model_;
};

TEST_P(ExpertsOf, HaveTheLossesAndEveryGradientOfAutograd) {
  for (const double balance_loss : {0.3, 0.0}) {
    model_.router.balance_loss = balance_loss;
    const auto parameters = this->parameters();
    const auto batch = batch_of(model_, 3, 33, 1);
    const auto weights = leaves(parameters);
    at::Tensor balance;
    oracle_logits(model_, weights, batch.inputs, &balance);
    const auto expected = oracle_loss(model_, weights, batch.inputs, batch.targets);
    expected.backward();

    const Transformer model(model_, parameters);
    Activations saved;
    const double loss = model.forward(batch, saved), auxiliary = model.auxiliary_loss(saved);
    EXPECT_NEAR(auxiliary, balance.item<double>(), 1e-11 * auxiliary);
    EXPECT_NEAR((loss + auxiliary) / expected.item<double>(), 1, 1e-12);
    EXPECT_EQ(model.loss(batch), loss);
    model.backward(saved, [](const std::string&) {});
    for (const auto& [name, parameter] : parameters) {
      if (counts_load(name)) continue;
      expect_near(parameter.gradient, weights.at(name).grad(), 1e-10, name);
    }
  }
}

TEST_P(ExpertsOf, CountTheTokensThatEachExpertGets) {
  const auto parameters = this->parameters();
  const auto batch = batch_of(model_, 3, 33, 1);
  const Transformer model(model_, parameters);
  run(model, batch);
  const auto& load = parameters.at("layers.0.ffn.router.bias").gradient;
  EXPECT_EQ(load.sum().item<double>(), 3 * 33 * 2);
  const auto once = load.clone();
  run(model, batch);
  EXPECT_TRUE(same_bits(load, once * 2));

  // Nothing beats a bias like this one.
  parameters.at("layers.0.ffn.router.bias").value.zero_()[4] = 2;
  load.zero_();
  run(model, batch);
  EXPECT_EQ(load[4].item<double>(), 3 * 33);
}

TEST_P(ExpertsOf, AreWithinRoundingOfFp64InFp32AndBf16) {
  const auto batch = batch_of(model_, 2, 33, 1);
  struct Precision {
    at::ScalarType matrices;
    double loss, gradient;
  };
  for (const auto& [type, loss, gradient] :
       {Precision{at::kFloat, 1e-5, 1e-4}, Precision{at::kBFloat16, 1e-2, 0.15}}) {
    const auto exact = parameters_of(model_), rounded = parameters_of(model_, at::kFloat, type);
    for (const auto& [name, parameter] : rounded) {
      // Choices that are not close, so that rounding changes none.
      if (counts_load(name)) parameter.value.copy_(at::arange(model_.experts) * 2);
      exact.at(name).value.copy_(parameter.value);
    }
    EXPECT_NEAR(run(Transformer(model_, rounded), batch) / run(Transformer(model_, exact), batch),
                1, loss);
    for (const auto& [name, parameter] : exact)
      expect_near(rounded.at(name).gradient, parameter.gradient, gradient, name);
  }
}

TEST_P(ExpertsOf, GiveTheSameBitsWhenWeightGradientsAreDelayedAndTouchNoneBefore) {
  const auto at_once = parameters(at::kFloat), delayed = parameters(at::kFloat);
  const auto batch = batch_of(model_, 2, 33, 1);
  run(Transformer(model_, at_once), batch);
  const Transformer model(model_, delayed);
  Activations saved;
  model.forward(batch, saved);
  auto dy = saved.dlogits;
  for (std::size_t i = model.blocks().size(); i-- > 0;)
    dy = model.blocks()[i]->backward_input(dy, saved.chunk.blocks[i]);
  for (const auto& [name, parameter] : delayed)
    EXPECT_FALSE(parameter.gradient.any().item<bool>()) << name << " was touched too early";
  for (std::size_t i = 0; i < model.blocks().size(); ++i)
    model.blocks()[i]->backward_weight(saved.chunk.blocks[i]);
  for (const auto& [name, parameter] : delayed)
    EXPECT_TRUE(same_bits(parameter.gradient, at_once.at(name).gradient)) << name;
}

TEST_P(ExpertsOf, ReportEveryGradientOnceInTheOrderOfTheSpecifications) {
  const auto parameters = this->parameters();
  const Transformer model(model_, parameters);
  Activations saved;
  model.forward(batch_of(model_, 1, 9, 1), saved);
  std::vector<std::string> order, names;
  model.backward(saved, [&](const std::string& name) { order.push_back(name); });
  for (const auto& spec : layout::tensor_specs(model_)) names.push_back(spec.name);
  std::ranges::reverse(names);
  EXPECT_EQ(order, names);
}

// How a batch is cut into micro-batches does not matter, nor do sequences of no tokens.
TEST_P(ExpertsOf, AddTheGradientsOfMicroBatches) {
  const auto apart = parameters(), together = parameters();
  const auto batch = batch_of(model_, 3, 9, 1);
  const auto part = [&](std::int64_t first, std::int64_t count) {
    return MicroBatch{batch.inputs.narrow(0, first, count), batch.targets.narrow(0, first, count)};
  };
  run(Transformer(model_, together), batch);
  run(Transformer(model_, apart), part(0, 2));
  run(Transformer(model_, apart), part(2, 1));
  for (const auto& [name, parameter] : together)
    expect_near(apart.at(name).gradient, parameter.gradient, 1e-12, name);
  EXPECT_EQ(run(Transformer(model_, apart), part(0, 0)), 0);
}

INSTANTIATE_TEST_SUITE_P(Presets, ExpertsOf, testing::Values("mixtral", "qwen_moe"));

}  // namespace
}  // namespace phalanx::model

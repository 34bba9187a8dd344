#include "layout/tensor_spec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/layout/llama_8b.h"

namespace phalanx::layout {
namespace {

TEST(FlopsPerToken, AreSixForEveryParameterBesideTheTableAndTwelveForEveryPairInAttention) {
  config::Model model;
  model.layers = 2;
  model.width = 8;
  model.heads = 4;
  model.kv_heads = 2;
  model.ffn_width = 24;
  model.sequence_length = 10;
  model.vocab_size = 100;
  const double attention = 8 * 8 + 2 * 4 * 8 + 8 * 8, feed_forward = 3 * 8 * 24, norms = 2 * 8;
  const double parameters = 2 * (attention + feed_forward + norms) + 8 + 100 * 8;
  EXPECT_EQ(flops_per_token(model), 6 * parameters + 12 * 2 * 8 * 10);
}

config::Model small_mixture(const std::string& preset) {
  config::Model model;
  model.preset = preset;
  model.layers = 2;
  model.width = 8;
  model.heads = 4;
  model.kv_heads = 2;
  model.ffn_width = 24;
  model.sequence_length = 10;
  model.vocab_size = 100;
  model.experts = 6;
  model.experts_per_token = 2;
  if (preset == "qwen_moe") model.expert_width = 5;
  return model;
}

TEST(FlopsPerToken, OfExpertsCountThoseThatATokenIsSentTo) {
  const double attention = 8 * 8 + 2 * 4 * 8 + 8 * 8, norms = 2 * 8, router = 6 * 8;
  const double outside = 8 + 100 * 8, pairs = 12 * 2 * 8 * 10;
  EXPECT_EQ(flops_per_token(small_mixture("mixtral")),
            6 * (2 * (attention + norms + router + 2 * (3 * 8 * 24)) + outside) + pairs);
  const double biases = 8 + 4 + 4, shared = 3 * 8 * 24 + 8;
  EXPECT_EQ(
      flops_per_token(small_mixture("qwen_moe")),
      6 * (2 * (attention + biases + norms + router + 2 * (3 * 8 * 5) + shared) + outside) + pairs);
}

TEST(TensorSpecs, OfExpertsStandInThePlaceOfTheDenseFeedForward) {
  std::vector<std::string> of_experts, names;
  for (const auto& spec : tensor_specs(small_mixture("qwen_moe"))) {
    names.push_back(spec.name);
    if (spec.expert == 4) of_experts.push_back(spec.name);
    EXPECT_EQ(spec.counts_load, spec.name.ends_with(".ffn.router.bias")) << spec.name;
  }
  EXPECT_EQ(of_experts[0], "layers.0.ffn.experts.4.gate.weight");
  EXPECT_EQ(of_experts.size(), 2 * 3u);
  const auto at = [&](const std::string& name) {
    const auto found = std::ranges::find(names, name);
    EXPECT_NE(found, names.end()) << name;
    return found - names.begin();
  };
  EXPECT_EQ(at("layers.0.attention.query.bias"), at("layers.0.attention.value.weight") + 1);
  EXPECT_EQ(at("layers.0.ffn.router.weight"), at("layers.0.ffn_norm.weight") + 1);
  EXPECT_EQ(at("layers.1.attention_norm.weight"), at("layers.0.ffn.shared_gate.weight") + 1);
  EXPECT_EQ(std::ranges::count(names, "layers.0.ffn.gate.weight"), 0);
}

// The published size of Llama 3 8B: 8,030,261,248 parameters.
TEST(TensorSpec, CountsTheParametersOfLlama3As8Billion) {
  EXPECT_EQ(parameter_count(tensor_specs(llama_8b())), 8030261248);
}

}  // namespace
}  // namespace phalanx::layout

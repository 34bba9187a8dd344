#include "layout/preset_specs.h"

namespace phalanx::layout {

std::vector<TensorSpec> gpt2_specs(const config::Model& model) {
  std::vector<TensorSpec> specs;
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t columns,
                          Init init = Init::kNormal) {
    specs.push_back({name + ".weight", {rows, columns}, init, true});
  };
  const auto bias = [&](const std::string& name, std::int64_t width) {
    specs.push_back({name + ".bias", {width}, Init::kZeros, false});
  };
  const auto norm = [&](const std::string& name) {
    specs.push_back({name + ".weight", {model.width}, Init::kOnes, false});
    bias(name, model.width);
  };
  const auto split = [&](Split split, std::int64_t units) {
    specs.back().split = split;
    specs.back().units = units;
  };

  matrix("embedding", model.vocab_size, model.width);
  split(Split::kRows, model.vocab_size);
  specs.back().tied = true;
  matrix("position", model.sequence_length, model.width);
  specs.back().looked_up = true;
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const std::string attention = layer + "attention.";
    norm(layer + "attention_norm");
    for (const auto* part : {"query", "key", "value"}) {
      matrix(attention + part, model.width, model.width);
      split(Split::kRows, model.heads);
      specs.back().joined = part != std::string("query");
    }
    for (const auto* part : {"query", "key", "value"}) {
      bias(attention + part, model.width);
      split(Split::kRows, model.heads);
      specs.back().joined = part != std::string("query");
    }
    matrix(attention + "output", model.width, model.width, Init::kResidualNormal);
    split(Split::kColumns, model.heads);
    bias(attention + "output", model.width);
    norm(layer + "ffn_norm");
    matrix(layer + "ffn.up", model.ffn_width, model.width);
    split(Split::kRows, model.ffn_width);
    bias(layer + "ffn.up", model.ffn_width);
    split(Split::kRows, model.ffn_width);
    matrix(layer + "ffn.down", model.width, model.ffn_width, Init::kResidualNormal);
    split(Split::kColumns, model.ffn_width);
    bias(layer + "ffn.down", model.width);
  }
  norm("norm");
  return specs;
}

}  // namespace phalanx::layout

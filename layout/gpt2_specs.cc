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
  const auto join = [&] { specs.back().joined = true; };

  matrix("embedding", model.vocab_size, model.width);
  matrix("position", model.sequence_length, model.width);
  specs.back().looked_up = true;
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const std::string attention = layer + "attention.";
    norm(layer + "attention_norm");
    matrix(attention + "query", model.width, model.width);
    matrix(attention + "key", model.width, model.width), join();
    matrix(attention + "value", model.width, model.width), join();
    bias(attention + "query", model.width);
    bias(attention + "key", model.width), join();
    bias(attention + "value", model.width), join();
    matrix(attention + "output", model.width, model.width, Init::kResidualNormal);
    bias(attention + "output", model.width);
    norm(layer + "ffn_norm");
    matrix(layer + "ffn.up", model.ffn_width, model.width);
    bias(layer + "ffn.up", model.ffn_width);
    matrix(layer + "ffn.down", model.width, model.ffn_width, Init::kResidualNormal);
    bias(layer + "ffn.down", model.width);
  }
  norm("norm");
  return specs;
}

}  // namespace phalanx::layout

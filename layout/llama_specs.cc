#include "layout/preset_specs.h"

namespace phalanx::layout {

std::vector<TensorSpec> llama_specs(const config::Model& model) {
  const std::int64_t head_width = model.width / model.heads;
  const std::int64_t query_width = model.heads * head_width;
  const std::int64_t kv_width = model.kv_heads * head_width;
  std::vector<TensorSpec> specs;
  const auto norm = [&](const std::string& name) {
    specs.push_back({name, {model.width}, Init::kOnes, false});
  };
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t columns,
                          Init init = Init::kNormal) {
    specs.push_back({name, {rows, columns}, init, true});
  };
  const auto split = [&](Split split, std::int64_t units) {
    specs.back().split = split;
    specs.back().units = units;
  };
  const auto join = [&] { specs.back().joined = true; };

  matrix("embedding.weight", model.vocab_size, model.width);
  specs.back().looked_up = true;
  split(Split::kRows, model.vocab_size);
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    norm(layer + "attention_norm.weight");
    matrix(layer + "attention.query.weight", query_width, model.width);
    split(Split::kRows, model.heads);
    matrix(layer + "attention.key.weight", kv_width, model.width), join();
    split(Split::kRows, model.kv_heads);
    matrix(layer + "attention.value.weight", kv_width, model.width), join();
    split(Split::kRows, model.kv_heads);
    matrix(layer + "attention.output.weight", model.width, query_width, Init::kResidualNormal);
    split(Split::kColumns, model.heads);
    norm(layer + "ffn_norm.weight");
    matrix(layer + "ffn.gate.weight", model.ffn_width, model.width);
    split(Split::kRows, model.ffn_width);
    matrix(layer + "ffn.up.weight", model.ffn_width, model.width), join();
    split(Split::kRows, model.ffn_width);
    matrix(layer + "ffn.down.weight", model.width, model.ffn_width, Init::kResidualNormal);
    split(Split::kColumns, model.ffn_width);
  }
  norm("norm.weight");
  matrix("head.weight", model.vocab_size, model.width);
  split(Split::kRows, model.vocab_size);
  return specs;
}

}  // namespace phalanx::layout

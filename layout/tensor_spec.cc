#include "layout/tensor_spec.h"

#include <functional>
#include <numeric>

namespace phalanx::layout {

std::int64_t TensorSpec::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<TensorSpec> tensor_specs(const config::Model& model) {
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
  const auto joined = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    matrix(name, rows, columns);
    specs.back().joined = true;
  };

  matrix("embedding.weight", model.vocab_size, model.width);
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    norm(layer + "attention_norm.weight");
    matrix(layer + "attention.query.weight", query_width, model.width);
    joined(layer + "attention.key.weight", kv_width, model.width);
    joined(layer + "attention.value.weight", kv_width, model.width);
    matrix(layer + "attention.output.weight", model.width, query_width, Init::kResidualNormal);
    norm(layer + "ffn_norm.weight");
    matrix(layer + "ffn.gate.weight", model.ffn_width, model.width);
    joined(layer + "ffn.up.weight", model.ffn_width, model.width);
    matrix(layer + "ffn.down.weight", model.width, model.ffn_width, Init::kResidualNormal);
  }
  norm("norm.weight");
  matrix("head.weight", model.vocab_size, model.width);
  return specs;
}

std::int64_t parameter_count(const std::vector<TensorSpec>& specs) {
  std::int64_t count = 0;
  for (const auto& spec : specs) count += spec.elements();
  return count;
}

double flops_per_token(const config::Model& model) {
  const auto specs = tensor_specs(model);
  const auto matrices = parameter_count(specs) - specs.front().elements();
  return 6.0 * static_cast<double>(matrices) +
         12.0 * static_cast<double>(model.layers * model.width * model.sequence_length);
}

}  // namespace phalanx::layout

#include "layout/tensor_spec.h"

#include <functional>
#include <numeric>

#include "layout/preset_specs.h"

namespace phalanx::layout {

std::int64_t TensorSpec::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

namespace {

// By its name: what is not in a layer comes before all of them or behind.
std::int64_t layer_of(const std::string& name, std::int64_t layers) {
  const std::string prefix = "layers.";
  if (name.starts_with(prefix)) return std::stoll(name.substr(prefix.size()));
  return name.starts_with("embedding.") || name.starts_with("position.") ? -1 : layers;
}

}  // namespace

std::vector<TensorSpec> tensor_specs(const config::Model& model) {
  auto specs = model.preset == "gpt2" ? gpt2_specs(model) : llama_specs(model);
  for (auto& spec : specs) spec.layer = layer_of(spec.name, model.layers);
  return specs;
}

std::int64_t parameter_count(const std::vector<TensorSpec>& specs) {
  std::int64_t count = 0;
  for (const auto& spec : specs) count += spec.elements();
  return count;
}

double flops_per_token(const config::Model& model) {
  std::int64_t multiplied = 0;
  for (const auto& spec : tensor_specs(model))
    if (!spec.looked_up) multiplied += spec.elements();
  return 6.0 * static_cast<double>(multiplied) +
         12.0 * static_cast<double>(model.layers * model.width * model.sequence_length);
}

}  // namespace phalanx::layout

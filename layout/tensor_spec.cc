#include "layout/tensor_spec.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>

#include "base/check.h"
#include "layout/preset_specs.h"

namespace phalanx::layout {
namespace {

struct Preset {
  std::string_view name;
  std::vector<TensorSpec> (*specs)(const config::Model&);
};
constexpr Preset kPresets[] = {{"llama", llama_specs},
                               {"gpt2", gpt2_specs},
                               {"mixtral", mixtral_specs},
                               {"qwen_moe", qwen_moe_specs}};

// By its name: what is not in a layer comes before all of them or behind.
std::int64_t layer_of(const std::string& name, std::int64_t layers) {
  const std::string prefix = "layers.";
  if (name.starts_with(prefix)) return std::stoll(name.substr(prefix.size()));
  return name.starts_with("embedding.") || name.starts_with("position.") ? -1 : layers;
}

}  // namespace

std::int64_t TensorSpec::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<TensorSpec> tensor_specs(const config::Model& model) {
  const auto preset = std::ranges::find(kPresets, model.preset, &Preset::name);
  check(preset != std::end(kPresets), "layout: no preset " + model.preset);
  auto specs = preset->specs(model);
  for (auto& spec : specs) spec.layer = layer_of(spec.name, model.layers);
  return specs;
}

std::int64_t parameter_count(const std::vector<TensorSpec>& specs) {
  std::int64_t count = 0;
  for (const auto& spec : specs) count += spec.elements();
  return count;
}

double flops_per_token(const config::Model& model) {
  std::int64_t multiplied = 0, by_all_experts = 0;
  for (const auto& spec : tensor_specs(model))
    if (spec.expert >= 0)
      by_all_experts += spec.elements();
    else if (!spec.looked_up && !spec.counts_load)
      multiplied += spec.elements();
  // Experts are all alike.
  if (model.experts > 0) multiplied += by_all_experts / model.experts * model.experts_per_token;
  return 6.0 * static_cast<double>(multiplied) +
         12.0 * static_cast<double>(model.layers * model.width * model.sequence_length);
}

}  // namespace phalanx::layout

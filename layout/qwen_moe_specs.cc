#include <algorithm>
#include <iterator>
#include <utility>

#include "layout/expert_specs.h"
#include "layout/preset_specs.h"

namespace phalanx::layout {
namespace {

// Biases of query, key and value, behind their matrices and joined as these are.
std::vector<TensorSpec> with_attention_biases(const std::vector<TensorSpec>& specs) {
  std::vector<TensorSpec> with, biases;
  for (const auto& spec : specs) {
    with.push_back(spec);
    for (const auto* part : {".query.weight", ".key.weight", ".value.weight"}) {
      if (!spec.name.ends_with(part)) continue;
      biases.push_back(spec);
      auto& bias = biases.back();
      bias.name.replace(bias.name.rfind("weight"), std::string::npos, "bias");
      bias.shape.pop_back();
      bias.init = Init::kZeros;
      bias.decay = false;
    }
    if (biases.size() == 3) std::ranges::move(std::exchange(biases, {}), std::back_inserter(with));
  }
  return with;
}

}  // namespace

std::vector<TensorSpec> qwen_moe_specs(const config::Model& model) {
  return with_feed_forward(with_attention_biases(llama_specs(model)), [&](const std::string& ffn) {
    auto specs = routed_expert_specs(model, ffn);
    std::ranges::move(swiglu_specs(model, ffn + "shared_expert.", model.ffn_width),
                      std::back_inserter(specs));
    specs.push_back({ffn + "shared_gate.weight", {1, model.width}});
    return specs;
  });
}

}  // namespace phalanx::layout

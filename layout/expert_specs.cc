#include "layout/expert_specs.h"

#include <algorithm>
#include <iterator>

namespace phalanx::layout {

std::vector<TensorSpec> swiglu_specs(const config::Model& model, const std::string& prefix,
                                     std::int64_t width) {
  std::vector<TensorSpec> specs;
  specs.push_back({prefix + "gate.weight", {width, model.width}});
  specs.push_back({prefix + "up.weight", {width, model.width}});
  specs.back().joined = true;
  specs.push_back({prefix + "down.weight", {model.width, width}, Init::kResidualNormal});
  return specs;
}

std::int64_t expert_width(const config::Model& model) {
  return model.preset == "qwen_moe" ? model.expert_width : model.ffn_width;
}

std::vector<TensorSpec> routed_expert_specs(const config::Model& model, const std::string& ffn) {
  std::vector<TensorSpec> specs;
  specs.push_back({ffn + "router.weight", {model.experts, model.width}});
  specs.push_back({ffn + "router.bias", {model.experts}, Init::kZeros, false});
  specs.back().counts_load = true;
  for (std::int64_t e = 0; e < model.experts; ++e)
    for (auto spec :
         swiglu_specs(model, ffn + "experts." + std::to_string(e) + ".", expert_width(model))) {
      spec.expert = e;
      specs.push_back(std::move(spec));
    }
  return specs;
}

std::vector<TensorSpec> with_feed_forward(
    const std::vector<TensorSpec>& llama,
    const std::function<std::vector<TensorSpec>(const std::string& ffn)>& feed_forward) {
  std::vector<TensorSpec> specs;
  for (const auto& spec : llama) {
    const auto inside = spec.name.find(".ffn.");
    if (inside == std::string::npos)
      specs.push_back(spec);
    else if (spec.name.ends_with(".ffn.gate.weight"))
      std::ranges::move(feed_forward(spec.name.substr(0, inside) + ".ffn."),
                        std::back_inserter(specs));
  }
  return specs;
}

}  // namespace phalanx::layout

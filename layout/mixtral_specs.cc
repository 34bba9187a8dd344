#include "layout/expert_specs.h"
#include "layout/preset_specs.h"

namespace phalanx::layout {

std::vector<TensorSpec> mixtral_specs(const config::Model& model) {
  return with_feed_forward(llama_specs(model),
                           [&](const std::string& ffn) { return routed_expert_specs(model, ffn); });
}

}  // namespace phalanx::layout

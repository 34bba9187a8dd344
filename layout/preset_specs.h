#pragma once

#include <vector>

#include "layout/tensor_spec.h"

namespace phalanx::layout {

// The parameters of one preset each, in the order of the forward pass (tensor_spec.h describes
// them).
std::vector<TensorSpec> llama_specs(const config::Model& model);
std::vector<TensorSpec> gpt2_specs(const config::Model& model);
std::vector<TensorSpec> mixtral_specs(const config::Model& model);
std::vector<TensorSpec> qwen_moe_specs(const config::Model& model);

}  // namespace phalanx::layout

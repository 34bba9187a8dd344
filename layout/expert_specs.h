#pragma once

#include <functional>
#include <string>
#include <vector>

#include "layout/tensor_spec.h"

namespace phalanx::layout {

// Channels inside a routed expert.
std::int64_t expert_width(const config::Model& model);

// Of a layer's feed-forward part `ffn` ("layers.3.ffn."): the router and its bias, then the routed
// experts.
std::vector<TensorSpec> routed_expert_specs(const config::Model& model, const std::string& ffn);

// The matrices gate, up and down of a SwiGLU of that width, named `prefix`gate.weight and so on.
std::vector<TensorSpec> swiglu_specs(const config::Model& model, const std::string& prefix,
                                     std::int64_t width);

// The parameters of the llama preset with another feed-forward: in the place of every layer's gate,
// up and down comes what `feed_forward` says of it ("layers.3.ffn.").
std::vector<TensorSpec> with_feed_forward(
    const std::vector<TensorSpec>& llama,
    const std::function<std::vector<TensorSpec>(const std::string& ffn)>& feed_forward);

}  // namespace phalanx::layout

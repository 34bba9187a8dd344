#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "config/job.h"

namespace phalanx::model {

// The presets llama, mixtral and qwen_moe in plain ATen operations, for autograd: written apart
// from the code under test, with repeated key heads, a mask and a softmax, and every expert
// computed for all tokens. `balance`, unless null, gets the sum of the layers' balancing losses.
at::Tensor oracle_logits(const config::Model& model,
                         const std::map<std::string, at::Tensor>& weights, const at::Tensor& tokens,
                         at::Tensor* balance = nullptr);

// The sum of the tokens' losses, balancing losses included.
at::Tensor oracle_loss(const config::Model& model, const std::map<std::string, at::Tensor>& weights,
                       const at::Tensor& inputs, const at::Tensor& targets);

}  // namespace phalanx::model

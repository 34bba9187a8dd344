#pragma once

#include <memory>
#include <vector>

#include "config/job.h"
#include "parallel/block.h"

namespace phalanx::model {

// The blocks of the presets `llama`, `mixtral` and `qwen_moe` (layout/tensor_spec.h names their
// parameters and sources), in the order of the forward pass: embedding, attention and feed-forward
// (of experts, where the model has some) of every layer, head.
std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                           const parallel::Parameters& parameters);

}  // namespace phalanx::model

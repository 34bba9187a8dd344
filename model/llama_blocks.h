#pragma once

#include <memory>
#include <vector>

#include "config/job.h"
#include "parallel/block.h"

namespace phalanx::model {

// The blocks of the `llama` preset (layout/tensor_spec.h names its parameters and sources), in the
// order of the forward pass: embedding, attention and feed-forward of every layer, head.
std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                           const parallel::Parameters& parameters);

}  // namespace phalanx::model

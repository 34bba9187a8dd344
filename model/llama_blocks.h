#pragma once

#include <memory>
#include <vector>

#include "config/job.h"
#include "layout/stage_split.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"

namespace phalanx::model {

// The blocks of a stage of the presets `llama`, `mixtral` and `qwen_moe` (layout/tensor_spec.h
// names their parameters and sources), in the order of the forward pass: embedding, attention and
// feed-forward (of experts, where the model has some) of every layer, head.
std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                           const layout::StageLayers& layers,
                                                           const parallel::Parameters& parameters,
                                                           const parallel::AxisGroups& groups);

}  // namespace phalanx::model

#pragma once

#include <memory>
#include <vector>

#include "config/job.h"
#include "layout/stage_split.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"

namespace phalanx::model {

// The blocks of a stage of the `llama` preset (layout/tensor_spec.h names its parameters and sources), in the
// order of the forward pass: embedding, attention and feed-forward of every layer, head.
std::vector<std::unique_ptr<parallel::Block>> llama_blocks(const config::Model& model,
                                                          const layout::StageLayers& layers,
                                                          const parallel::Parameters& parameters,
                                                          const parallel::AxisGroups& groups);

}  // namespace phalanx::model

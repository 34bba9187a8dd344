#pragma once

#include <memory>
#include <vector>

#include "config/job.h"
#include "layout/stage_split.h"
#include "parallel/axis_groups.h"
#include "parallel/block.h"

namespace phalanx::model {

// The blocks of a stage of the `gpt2` preset (Radford et al. 2019; layout/tensor_spec.h names its
// parameters), in the order of the forward pass: tokens to embedding, attention and feed-forward of
// every layer, head. The head multiplies with the embedding's table, whose gradient is therefore
// complete after the embedding's backward pass.
std::vector<std::unique_ptr<parallel::Block>> gpt2_blocks(const config::Model& model,
                                                          const layout::StageLayers& layers,
                                                          const parallel::Parameters& parameters,
                                                          const parallel::AxisGroups& groups);

}  // namespace phalanx::model

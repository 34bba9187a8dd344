#pragma once

#include <span>
#include <string>
#include <vector>

#include "checkpoint/shard.h"
#include "checkpoint/state_view.h"

namespace phalanx::checkpoint {

// Whether the shards together hold every element of every tensor, in every kind of state, exactly
// once. Empty if so; else a sentence that names the kind, the tensor, the box and the files at
// fault. Pure; near-linear in the number of regions when tensors are cut between rows.
std::string coverage_problem(std::span<const GlobalTensor> tensors,
                             std::span<const std::string> kinds, std::span<const ShardInfo> shards);

}  // namespace phalanx::checkpoint

#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "parallel/axis_groups.h"
#include "parallel/gradient_buckets.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// The groups that a rank of a mesh belongs to; null where one would have the rank alone.
struct MeshGroups {
  std::shared_ptr<comm::Group> world;  // never null
  parallel::AxisGroups axes;
  std::shared_ptr<comm::Group> pipeline;
  std::vector<parallel::ReplicatedBucket> buckets;  // the state's, with the groups that share them
};

// Makes them: all ranks at the same point. Throws CommError, SystemError.
MeshGroups make_mesh_groups(comm::Communicator& communicator, const ModelState& state);

}  // namespace phalanx::runtime

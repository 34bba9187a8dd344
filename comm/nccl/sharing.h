#pragma once

#include <vector>

#include "comm/communicator.h"

namespace phalanx::comm::nccl {

// Ranks that share a GPU. NCCL takes them into one communicator from 2.30 on, where the environment
// says NCCL_MULTI_RANK_GPU_ENABLE=1
// (docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html).

// How many of the generation's ranks compute on the GPU of `rank`, itself included: those on its
// host, where emulated nodes are together, whose slot has the same of the host's `devices` GPUs.
int ranks_on_device(const std::vector<Peer>& peers, int rank, int devices);

// Tells NCCL to take ranks that share a GPU, unless the environment says something itself. NCCL
// reads it when it forms its first communicator; where nobody shares it changes nothing.
void let_ranks_share();

// Throws PlacementError when a rank's GPU is shared and the NCCL that was loaded (`version` as of
// ncclGetVersion) cannot do that.
void check_sharing(const std::vector<Peer>& peers, int rank, int devices, int version);

// The most blocks (CTAs) that an operation may take of a GPU which so many ranks share; 0: NCCL's
// own choice. Kernels of all sharing ranks must fit on the device at once, since they wait for each
// other there.
int most_blocks(int ranks_on_device);

}  // namespace phalanx::comm::nccl

#pragma once

#include <optional>
#include <vector>

namespace phalanx::comm::nccl {

// How a communicator's id gets from its rank 0 to all others: along a binomial tree, so that no
// rank talks to more than log2(n) others and the id is everywhere after log2(n) hops.

// The rank that `rank` has the id from; empty for rank 0.
std::optional<int> id_parent(int rank);
// The ranks that have it from `rank`, those with the most ranks below them first.
std::vector<int> id_children(int rank, int size);

}  // namespace phalanx::comm::nccl

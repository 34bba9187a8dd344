#pragma once

#include <optional>
#include <vector>

namespace phalanx::comm {

// How something gets from rank 0 to all others: along a binomial tree, so that no rank talks to
// more than log2(n) others and it is everywhere after log2(n) hops.

// The rank that `rank` has it from; empty for rank 0.
std::optional<int> binomial_parent(int rank);
// The ranks that have it from `rank`, those with the most ranks below them first.
std::vector<int> binomial_children(int rank, int size);

}  // namespace phalanx::comm

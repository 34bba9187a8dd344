#pragma once

#include <span>
#include <vector>

#include "comm/group.h"

namespace phalanx::runtime {

// The sums over the group of each of `values` in fp64, added in the order of the ranks and so the
// same on every rank. For a handful of values: every rank receives those of all. Throws CommError.
std::vector<double> sum_over(comm::Group& group, std::span<const double> values);

}  // namespace phalanx::runtime

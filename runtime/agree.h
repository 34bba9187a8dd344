#pragma once

#include <span>
#include <vector>

#include "comm/group.h"

namespace phalanx::runtime {

// The sums over the group of each of `values` in fp64, the same on every rank. Throws CommError.
std::vector<double> sum_over(comm::Group& group, std::span<const double> values);

}  // namespace phalanx::runtime

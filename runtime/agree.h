#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "comm/group.h"

namespace phalanx::runtime {

// The sums over the group of the fp64 numbers in `mine`, in the memory of the group's device, the
// same on every rank, as the host reads them: it waits for all that they come from. `mine` becomes
// the sums. Throws CommError.
std::vector<double> sum_over(comm::Group& group, const at::Tensor& mine);
// The same of numbers that the host knows, where `device` is the group's.
std::vector<double> sum_over(comm::Group& group, std::span<const double> mine, at::Device device);

}  // namespace phalanx::runtime

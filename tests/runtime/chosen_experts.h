#pragma once

#include <vector>

#include "tests/runtime/small_job.h"

namespace phalanx::runtime {

// In the next step every token of the rank chooses these experts in every layer: the bias of the
// routers decides.
void choose_experts(const Rank& rank, const std::vector<std::int64_t>& experts);

}  // namespace phalanx::runtime

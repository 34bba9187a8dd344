#pragma once

#include "config/job.h"
#include "layout/partition.h"
#include "layout/schedule_simulator.h"

namespace phalanx::planner {

// How long the stages' passes take beside each other where FLOPs alone count: kLongest is the
// longest forward pass. Communication takes no time.
inline constexpr std::int64_t kLongest = 10'000;
layout::Times step_times(const config::Job& job, const layout::Partition& partition);

}  // namespace phalanx::planner

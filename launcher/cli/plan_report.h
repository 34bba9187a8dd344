#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "planner/plan.h"

namespace phalanx::launcher {

// A plan as `phalanx plan` tells it: for a person, and with the same content under stable names.
// Neither grows with the number of ranks, but with pipeline ranks and stages.
std::string plan_text(const config::Job& job, const planner::Plan& plan);
nlohmann::ordered_json plan_json(const config::Job& job, const planner::Plan& plan);

}  // namespace phalanx::launcher

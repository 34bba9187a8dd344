#pragma once

#include <string>

#include "parallel/planned_arena.h"

namespace phalanx::runtime {

// What this process has held by use, as `phalanx plan` tells it beforehand, and the arena of its
// steps if they have one, in one line for its log.
std::string memory_report(const parallel::PlannedArena& step_arena);

}  // namespace phalanx::runtime

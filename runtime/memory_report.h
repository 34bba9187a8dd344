#pragma once

#include <string>

#include "parallel/planned_arena.h"

namespace phalanx::runtime {

// What this process holds, by use, and the arena of its steps, in one line for its log.
std::string memory_report(const parallel::PlannedArena& step_arena);

}  // namespace phalanx::runtime

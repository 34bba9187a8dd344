#pragma once

#include <vector>

#include "layout/schedule_check.h"

namespace phalanx::layout {

// The rules that one rank's list alone can break; each adds what it finds.

// False when an operation names a micro-batch or a chunk that does not exist: nothing else can be
// said of such a list.
bool check_complete_and_ordered(const Schedule& schedule, int rank, std::vector<Finding>& findings);
// Returns the most chunks whose parameters are held at once.
int check_parameters(const Schedule& schedule, int rank, std::vector<Finding>& findings);
void check_gradients(const Schedule& schedule, int rank, std::vector<Finding>& findings);

}  // namespace phalanx::layout

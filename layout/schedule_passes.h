#pragma once

#include <vector>

#include "layout/schedule.h"

namespace phalanx::layout {

// Each adds one concern to a schedule of forward and backward passes, whichever builder made it.
// Applied in this order: recompute, sharding, transfers; any may be left out but transfers.

// A recompute before the first backward pass of each micro-batch through the stages marked in
// `stages` (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). It comes before the
// gradient is received, so that it fills that wait.
Schedule with_recompute(Schedule schedule, const std::vector<bool>& stages);

// Gathers and frees of parameters, reduces of gradients (Rajbhandari et al. 2020, "ZeRO"). A gather
// is started one run early, so that it hides behind the run before; a rank then holds at most two
// chunks' parameters.
Schedule with_sharding(Schedule schedule, ParameterPolicy parameters, GradientPolicy gradients);

// A send behind each pass whose result another rank needs, a receive before each pass that needs
// one. Between two ranks messages arrive in the order they were sent; a message that others have
// overtaken is received, early, before the one that is needed. So a schedule whose passes can be
// executed at all does not deadlock, provided that sends do not wait (schedule_check.h says how
// many messages that keeps in flight).
Schedule with_transfers(Schedule schedule);

}  // namespace phalanx::layout

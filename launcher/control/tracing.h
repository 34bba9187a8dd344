#pragma once

#include "launcher/control/decision.h"
#include "launcher/control/decision.pb.h"

namespace phalanx::control {

// Passes the wish on to the ranks of the generation at work. What a generation does not get done of
// it is void: who asked sees the next one form, and asks that.
void take_trace(Decision& decision, const TraceRequest& request);

// What there is to say to a request that the state has taken in.
TraceAnswer trace_answer(const State& state, const TraceRequest& request);

}  // namespace phalanx::control

#pragma once

#include <vector>

#include "launcher/control/action.h"
#include "launcher/control/decision.pb.h"
#include "launcher/control/state.h"

// The life of a job as a pure function: no clock, thread, socket or file. Everything that a
// controller does follows from the events in its log.
namespace phalanx::control {

// Takes one event in, at the time `now` (seconds, never going back). Changes the state and returns
// what is to be done, in order. An event that does not concern the state any more (of an earlier
// process, of an earlier generation) changes nothing.
std::vector<Action> decide(State& state, const Event& event, double now);

// When a Tick is due, in decide's time; kNever when nothing has a deadline.
double next_deadline(const State& state);

// Actions without an answer so far (claims, commits, the end): what a controller does again after
// it has replayed its log. All can be repeated safely.
std::vector<Action> unanswered(const State& state);

}  // namespace phalanx::control

#pragma once

#include "launcher/control/decision.h"

// A generation at work: its steps, and everything that can break it.
namespace phalanx::control {

void take_worker_started(Decision& decision, int rank, const protocol::WorkerStarted& report);
// A process has ended, whatever it was doing; its slot gets a new one.
void take_worker_exited(Decision& decision, int rank, const protocol::WorkerExited& report,
                        double age_seconds);
// A process shows no sign of life: it is ended.
void take_worker_silent(Decision& decision, int rank, const protocol::WorkerSilent& report);
void take_fault(Decision& decision, int rank, const protocol::Fault& fault);
void take_step(Decision& decision, int rank, const protocol::StepReport& step);
void take_restored(Decision& decision, const protocol::Restored& restored);

// Counts a step and writes it down.
void record_step(Decision& decision, const protocol::StepReport& step);
// The steps after `step` do not count any more.
void go_back_to(State& state, std::int64_t step);
// The same, to a checkpoint that may be of an earlier attempt.
void go_on_from(State& state, const SavedState& saved);

// The generation cannot go on, for a reason that is about to show itself: a little patience, so
// that the blame is right. `peer` is the rank suspected, or kNobody.
void suspect(Decision& decision, int peer, const std::string& message);
// No exit was reported: whoever is suspected is ended.
void end_suspicion(Decision& decision);

}  // namespace phalanx::control

#pragma once

#include "launcher/control/decision.h"

// How a job ends: because its steps are done, because somebody wants it, or because it cannot go
// on.
namespace phalanx::control {

void take_finished(Decision& decision, int rank, const protocol::Finished& finished);
void take_failed(Decision& decision, int rank, const protocol::Failed& failed);
void take_stop(Decision& decision, StopRequest::Why why);
void take_node_failed(Decision& decision, int node, const protocol::NodeFailed& failed);
void take_node_lost(Decision& decision, int node, const std::string& how);
void take_node_ended(Decision& decision, int node);

// All ranks have finished, and the fate of the final state may be known: ends the job if so.
void end_finished(Decision& decision);
// Ends a job that was to stop, or to end, without its final state on disk.
void end_unsaved(Decision& decision, const std::string& cause);
// Ends all nodes; the job has ended when they have. The first verdict stays.
void end_job(Decision& decision, Verdict verdict);
// What a person can do about a job that ended for no fault of its own.
std::string how_to_go_on(const State& state);
// The last line of events.jsonl.
Record job_ended(const State& state, const Verdict& verdict);
// Nodes that have not ended are left behind.
void give_up_on_ending(Decision& decision);

}  // namespace phalanx::control

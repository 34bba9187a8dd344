#include "launcher/control/status.h"

namespace phalanx::control {
namespace {

const char* phase_name(const State& state) {
  switch (state.phase) {
    case State::Phase::kForming:
      return "forming";
    case State::Phase::kTraining:
      return state.stop ? "stopping" : "training";
    case State::Phase::kCommitting:
      return "stopping";
    default:
      return "ending";
  }
}

const char* worker_state_name(Worker::State state) {
  switch (state) {
    case Worker::State::kAbsent:
      return "absent";
    case Worker::State::kStarting:
      return "starting";
    case Worker::State::kCandidate:
      return "waiting";
    case Worker::State::kMember:
      return "training";
    case Worker::State::kFinished:
      return "finished";
    case Worker::State::kReturning:
      return "returning";
  }
  return "";
}

}  // namespace

Status describe(const State& state) {
  Status status;
  status.set_phase(phase_name(state));
  status.set_generation(state.generation);
  status.set_step(state.recorded_step());
  status.set_steps(state.steps);
  if (state.last_step.has_loss()) status.set_loss(state.last_step.loss());
  status.set_tokens_per_second(state.tokens_per_second);
  if (state.checkpoint) status.set_last_checkpoint(state.checkpoint->step());
  status.set_recoveries(static_cast<int>(state.recoveries.size()));
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const Worker& worker = state.workers[static_cast<std::size_t>(rank)];
    WorkerStatus& entry = *status.add_workers();
    entry.set_rank(rank);
    entry.set_node(state.node_of(rank));
    entry.set_slot(state.slot_of(rank));
    entry.set_pid(worker.pid);
    entry.set_start_time(worker.start_time);
    entry.set_state(worker_state_name(worker.state));
  }
  return status;
}

}  // namespace phalanx::control

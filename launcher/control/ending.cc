#include "launcher/control/ending.h"

#include <fmt/format.h>

#include "launcher/control/saving.h"
#include "protocol/exit_code.h"

namespace phalanx::control {
namespace {

using protocol::ExitCode;

constexpr double kStopSeconds = 60;
constexpr double kFinalCommitSeconds = 600;
constexpr double kEndSeconds = 10;
constexpr double kDoneGraceSeconds = 5;
constexpr double kFailedGraceSeconds = 1;

// What a job that somebody stopped ends with. `cause`, `help`: of a state that is not saved.
Verdict stopped_verdict(StopRequest::Why why, ExitCode unless_interrupted, std::string cause,
                        std::string help) {
  const bool interrupted = why == StopRequest::INTERRUPTED || why == StopRequest::NOW;
  const bool cancelled = why == StopRequest::CANCELLED && cause.empty();
  return {static_cast<int>(interrupted ? ExitCode::kInterrupted : unless_interrupted),
          cancelled ? "cancelled" : "stopped", std::move(cause), std::move(help)};
}

Verdict saved_verdict(StopRequest::Why why) {
  const bool cancelled = why == StopRequest::CANCELLED;
  return stopped_verdict(why, cancelled ? ExitCode::kDone : ExitCode::kPreempted, {}, {});
}

Verdict unsaved_verdict(const State& state, const std::string& cause) {
  const std::string text = "the final state was not saved: " + cause;
  if (!state.stop)
    return {static_cast<int>(ExitCode::kStorage), "failed", text,
            state.checkpoint
                ? "the newest complete checkpoint is as it was; make room, then run the job again"
                : "there is no checkpoint yet; make room, then run the job again"};
  const bool cancelled = *state.stop == StopRequest::CANCELLED;
  return stopped_verdict(*state.stop, cancelled ? ExitCode::kStorage : ExitCode::kPreemptedUnsaved,
                         text, how_to_go_on(state));
}

bool final_state_is_saved(const State& state) {
  return state.finished_step == 0 ||
         (state.checkpoint && state.checkpoint->step() == state.finished_step);
}

double grace(const Verdict& verdict, const State& state) {
  if (state.stop == StopRequest::NOW) return 0;
  return verdict.outcome == "failed" ? kFailedGraceSeconds : kDoneGraceSeconds;
}

void finish_ending(Decision& decision) {
  State& state = decision.state;
  state.phase = State::Phase::kEnded;
  state.deadlines = {};
  state.detached.clear();
  decision.actions.emplace_back(job_ended(state, *state.verdict));
  decision.actions.emplace_back(EndJob{*state.verdict});
}

void mark_ended(State& state, int node) {
  Node& entry = state.nodes[static_cast<std::size_t>(node)];
  if (!entry.ended) ++state.ended_nodes;
  entry.ended = true;
}

}  // namespace

void take_finished(Decision& decision, int rank, const protocol::Finished& finished) {
  State& state = decision.state;
  Worker& worker = state.workers[static_cast<std::size_t>(rank)];
  if (finished.generation() != state.generation || state.phase != State::Phase::kTraining ||
      worker.state != Worker::State::kMember)
    return;
  worker.state = Worker::State::kFinished;
  state.finished_step = finished.step();
  if (++state.finished < state.ranks()) return;
  state.phase = State::Phase::kCommitting;
  state.suspicion.reset();
  state.deadlines.suspicion = kNever;
  if (state.deadlines.stopping == kNever)
    state.deadlines.stopping = decision.now + kFinalCommitSeconds;
  end_finished(decision);
}

void end_finished(Decision& decision) {
  const State& state = decision.state;
  const auto save = state.saves.find(state.finished_step);
  const bool committing =
      save != state.saves.end() && save->second.state == Save::State::kCommitting;
  if (committing) return;
  if (!final_state_is_saved(state)) {
    const bool failed = save != state.saves.end() && save->second.state == Save::State::kFailed;
    end_unsaved(decision, fmt::format("step {}: {}", state.finished_step,
                                      failed ? save->second.failure : "not all ranks saved it"));
  } else if (state.finished_step >= state.steps) {
    end_job(decision, {static_cast<int>(ExitCode::kDone), "done", {}, {}});
  } else if (state.stop) {
    end_job(decision, saved_verdict(*state.stop));
  } else {
    end_job(decision,
            {static_cast<int>(ExitCode::kBug), "failed",
             fmt::format("the workers finished at step {} of {}", state.finished_step, state.steps),
             "this is a bug of phalanx"});
  }
}

void end_unsaved(Decision& decision, const std::string& cause) {
  end_job(decision, unsaved_verdict(decision.state, cause));
}

void take_failed(Decision& decision, int rank, const protocol::Failed& failed) {
  decision.record_rank("worker_failed", rank, failed.message()).details = {
      {"step", failed.step()}, {"exit_code", std::int64_t{failed.exit_code()}}};
  const int code = failed.exit_code() == 0 ? static_cast<int>(ExitCode::kBug) : failed.exit_code();
  std::string help = failed.help();
  const auto& checkpoint = decision.state.checkpoint;
  if (code == static_cast<int>(ExitCode::kDiverged) && checkpoint)
    help +=
        fmt::format("; the newest checkpoint, of step {}, is from before it", checkpoint->step());
  end_job(decision,
          {code, "failed", fmt::format("rank {}: {}", rank, failed.message()), std::move(help)});
}

void take_stop(Decision& decision, StopRequest::Why why) {
  State& state = decision.state;
  decision.record("stop_requested", StopRequest::Why_Name(why));
  if (why == StopRequest::NOW) {
    state.stop = why;
    end_job(decision, stopped_verdict(why, ExitCode::kInterrupted, "ended at once, without saving",
                                      how_to_go_on(state)));
    return;
  }
  if (state.stop) return;
  state.stop = why;
  if (state.generation < state.first_generation) {
    end_job(decision, saved_verdict(why));
    return;
  }
  state.deadlines.stopping = decision.now + kStopSeconds;
  if (state.phase != State::Phase::kTraining) return;
  protocol::NodeCommand command;
  command.mutable_stop();
  decision.send_all(std::move(command));
}

void take_node_failed(Decision& decision, int node, const protocol::NodeFailed& failed) {
  const std::string& name = decision.state.nodes[static_cast<std::size_t>(node)].name;
  decision.record_node("node_failed", node, failed.message());
  const int code = failed.exit_code() == 0 ? static_cast<int>(ExitCode::kBug) : failed.exit_code();
  end_job(decision, {code, "failed", fmt::format("node {} ({}): {}", node, name, failed.message()),
                     failed.help()});
}

void take_node_lost(Decision& decision, int node, const std::string& how) {
  State& state = decision.state;
  decision.record_node("node_lost", node, how);
  state.detached.erase(node);
  mark_ended(state, node);
  if (state.phase == State::Phase::kEnding) {
    if (state.ended_nodes == state.nodes_wanted) finish_ending(decision);
    return;
  }
  const std::string& name = state.nodes[static_cast<std::size_t>(node)].name;
  end_job(decision,
          {static_cast<int>(ExitCode::kNodesLost), "failed",
           fmt::format("node {} ({}) is lost: {}", node, name, how), how_to_go_on(state)});
}

void take_node_ended(Decision& decision, int node) {
  State& state = decision.state;
  mark_ended(state, node);
  if (state.phase == State::Phase::kEnding && state.ended_nodes == state.nodes_wanted)
    finish_ending(decision);
}

void end_job(Decision& decision, Verdict verdict) {
  State& state = decision.state;
  if (state.verdict) return;
  const double seconds = grace(verdict, state);
  const bool failed = verdict.outcome == "failed";
  state.verdict = std::move(verdict);
  state.deadlines = {};
  state.deadlines.ending = decision.now + seconds + kEndSeconds;
  // Ranks that wait for one that failed must not wait for the whole grace.
  if (failed && state.phase == State::Phase::kTraining) {
    protocol::NodeCommand abort;
    abort.mutable_abort()->set_generation(state.generation);
    abort.mutable_abort()->set_rank(kNobody);
    abort.mutable_abort()->set_reason("the job ends: " + state.verdict->first_cause);
    decision.send_all(std::move(abort));
  }
  state.phase = State::Phase::kEnding;
  protocol::NodeCommand command;
  command.mutable_end_node()->set_grace_seconds(seconds);
  decision.send_all(std::move(command));
  if (state.ended_nodes == state.nodes_wanted) finish_ending(decision);
}

std::string how_to_go_on(const State& state) {
  if (!state.checkpoint) return "run the job again: without a checkpoint it begins from the start";
  return fmt::format("run the job again: it goes on from step {}", state.checkpoint->step());
}

Record job_ended(const State& state, const Verdict& verdict) {
  return {
      .kind = "job_ended",
      .generation = state.generation,
      .reason = verdict.first_cause,
      .details = {{"outcome", verdict.outcome}, {"exit_code", std::int64_t{verdict.exit_code}}}};
}

void give_up_on_ending(Decision& decision) {
  for (int node = 0; node < decision.state.nodes_wanted; ++node)
    if (!decision.state.nodes[static_cast<std::size_t>(node)].ended)
      decision.record_node("node_left_behind", node, "it did not end before the deadline");
  finish_ending(decision);
}

}  // namespace phalanx::control

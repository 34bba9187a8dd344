#include "launcher/control/forming.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/control/ending.h"
#include "launcher/control/passing_over.h"
#include "launcher/control/saving.h"
#include "launcher/control/source.h"
#include "launcher/control/training.h"
#include "launcher/control/verdict.h"
#include "protocol/exit_code.h"

namespace phalanx::control {
namespace {

// Until all workers of a generation are there: LibTorch loaded from a slow disk takes minutes.
constexpr double kFormingSeconds = 300;

void send_roster(Decision& decision, const Source& source) {
  const State& state = decision.state;
  protocol::NodeCommand command;
  protocol::Roster& roster = *command.mutable_roster();
  roster.set_generation(state.generation);
  roster.set_source(source.kind);
  roster.set_step(source.step);
  if (source.kind == protocol::Roster::REPLICA) roster.set_source_rank(source.rank);
  if (source.kind == protocol::Roster::CHECKPOINT) roster.set_checkpoint(source.directory);
  roster.set_reason(state.reason);
  roster.mutable_places()->Reserve(state.ranks());
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const protocol::Candidate& candidate = state.workers[static_cast<std::size_t>(rank)].candidate;
    protocol::Place& place = *roster.add_places();
    place.set_rank(rank);
    place.set_node(state.node_of(rank));
    place.set_slot(state.slot_of(rank));
    place.set_host(candidate.host());
    place.set_port(candidate.port());
    place.set_held_step(candidate.held_step());
  }
  decision.send_all(std::move(command));
}

void complete_recoveries(State& state, const Source& source, std::int64_t steps_lost) {
  for (auto recovery = state.recoveries.rbegin();
       recovery != state.recoveries.rend() && recovery->rung.empty(); ++recovery) {
    recovery->rung = source.name();
    recovery->steps_lost = steps_lost;
  }
}

void become_members(State& state) {
  for (Worker& worker : state.workers) {
    worker.state = Worker::State::kMember;
    worker.was_member = true;
    worker.failed_starts = 0;
  }
  state.candidates = state.finished = 0;
}

void form(Decision& decision, const Source& source) {
  State& state = decision.state;
  const std::int64_t lost = std::max<std::int64_t>(0, state.recorded_step() - source.step);
  if (source.kind == protocol::Roster::CHECKPOINT)
    go_on_from(state, *state.checkpoint);
  else
    go_back_to(state, source.step);
  abandon_saves(decision);
  ++state.generation;
  state.claimed = false;
  state.begin_step = source.step;
  state.phase = State::Phase::kTraining;
  state.deadlines.forming = state.deadlines.returning = kNever;
  complete_recoveries(state, source, lost);
  Record& line = decision.record("generation_formed", state.reason);
  line.details = {{"source", source.name()}, {"step", source.step}, {"steps_lost", lost}};
  if (source.kind == protocol::Roster::REPLICA)
    line.details.emplace_back("source_rank", std::int64_t{source.rank});
  send_roster(decision, source);
  become_members(state);
  if (state.stop) {
    protocol::NodeCommand command;
    command.mutable_stop();
    decision.send_all(std::move(command));
  }
}

std::string missing_workers(const State& state) {
  std::string text;
  int missing = 0;
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const Worker& worker = state.workers[static_cast<std::size_t>(rank)];
    if (worker.state == Worker::State::kCandidate) continue;
    if (++missing <= 3)
      text += fmt::format("{}rank {} (node {}, slot {}, pid {})", text.empty() ? "" : ", ", rank,
                          state.node_of(rank), state.slot_of(rank), worker.pid);
  }
  return missing > 3 ? fmt::format("{} and {} more", text, missing - 3) : text;
}

}  // namespace

void take_node_ready(Decision& decision, int node, const protocol::NodeReady& report) {
  State& state = decision.state;
  Node& entry = state.nodes[static_cast<std::size_t>(node)];
  if (entry.ready) return;
  entry.ready = true;
  entry.name = report.name();
  Record& line = decision.record_node("node_ready", node);
  line.details = {{"name", report.name()}, {"keeper_pid", report.keeper_pid()}};
  for (int slot = 0; slot < state.slots_per_node; ++slot)
    decision.start_worker(state.rank_of(node, slot));
}

void begin_forming(Decision& decision) {
  State& state = decision.state;
  state.phase = State::Phase::kForming;
  state.deadlines.forming = decision.now + kFormingSeconds;
  if (!state.claimed) decision.actions.emplace_back(ClaimGeneration{state.generation + 1});
}

void take_candidate(Decision& decision, int rank, const protocol::Candidate& candidate) {
  State& state = decision.state;
  Worker& worker = state.workers[static_cast<std::size_t>(rank)];
  if (worker.state == Worker::State::kCandidate || worker.killed) return;
  const bool early = state.phase == State::Phase::kTraining;
  if (early && candidate.left_generation() != state.generation) return;
  if (worker.state == Worker::State::kFinished && early) --state.finished;
  worker.state = Worker::State::kCandidate;
  worker.candidate = candidate;
  ++state.candidates;
  if (early)
    suspect(decision, kNobody, fmt::format("rank {} left the generation", rank));
  else
    try_to_form(decision);
}

void take_claimed(Decision& decision, const GenerationClaimed& claimed) {
  if (claimed.generation() != decision.state.generation + 1) return;
  decision.state.claimed = true;
  if (decision.state.phase == State::Phase::kForming) try_to_form(decision);
}

void take_claim_refused(Decision& decision, const ClaimRefused& refused) {
  end_job(decision, {refused.exit_code(), "failed", refused.message(), {}});
}

void try_to_form(Decision& decision) {
  State& state = decision.state;
  if (!state.claimed || state.candidates < state.ranks()) return;
  const Source source = choose_source(state);
  // The commit under way may be of the newest state there is.
  if (source.kind != protocol::Roster::REPLICA && (commit_under_way(state) || state.searching))
    return;
  if (source.kind == protocol::Roster::START && !state.passed_over.empty()) {
    end_job(decision, verdict_on_checkpoints(state));
    return;
  }
  if (source.last_step.has_step() && source.step > state.recorded_step())
    record_step(decision, source.last_step);
  if (auto verdict = verdict_on_rounds(state)) {
    end_job(decision, std::move(*verdict));
    return;
  }
  form(decision, source);
}

void give_up_on_survivors(Decision& decision) {
  State& state = decision.state;
  state.deadlines.returning = kNever;
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const Worker& worker = state.workers[static_cast<std::size_t>(rank)];
    if (worker.state != Worker::State::kReturning || worker.killed) continue;
    decision.record_rank("worker_killed", rank,
                         "it did not leave its generation before the deadline");
    decision.kill_worker(rank);
  }
}

void give_up_on_forming(Decision& decision) {
  const State& state = decision.state;
  const auto absent = std::count_if(state.nodes.begin(), state.nodes.end(),
                                    [](const Node& node) { return !node.ready; });
  const bool rendezvous = state.generation + 1 == state.first_generation;
  const auto code = rendezvous ? protocol::ExitCode::kRendezvous : protocol::ExitCode::kNodesLost;
  std::string cause = absent > 0 ? fmt::format("{} of {} nodes did not report within {} s", absent,
                                               state.nodes_wanted, kFormingSeconds)
                                 : fmt::format("these workers were not ready within {} s: {}",
                                               kFormingSeconds, missing_workers(state));
  end_job(decision, {static_cast<int>(code), "failed", std::move(cause),
                     "see the logs of the nodes' keepers and workers in logs/"});
}

}  // namespace phalanx::control

#include "launcher/control/decide.h"

#include <algorithm>

#include "launcher/control/decision.h"
#include "launcher/control/ending.h"
#include "launcher/control/forming.h"
#include "launcher/control/passing_over.h"
#include "launcher/control/saving.h"
#include "launcher/control/tracing.h"
#include "launcher/control/training.h"

namespace phalanx::control {
namespace {

// An agent whose connection broke comes back within this time, or its node counts as lost.
constexpr double kAttachSeconds = 10;

bool is_ending(const State& state) {
  return state.phase == State::Phase::kEnding || state.phase == State::Phase::kEnded;
}

void begin(Decision& decision, const Begin& begin) {
  State& state = decision.state;
  state.nodes_wanted = begin.nodes();
  state.slots_per_node = begin.slots_per_node();
  state.steps = begin.steps();
  state.needs_new_processes = begin.needs_new_processes();
  state.sharing = begin.sharing();
  state.began_at = decision.now;
  state.nodes.resize(static_cast<std::size_t>(begin.nodes()));
  state.workers.resize(static_cast<std::size_t>(state.ranks()));
  state.generation = begin.last_generation();
  state.first_generation = state.generation + 1;
  if (begin.has_resume()) {
    state.checkpoint = begin.resume();
    go_on_from(state, begin.resume());
  }
  decision.record("job_began").details = {{"nodes", std::int64_t{begin.nodes()}},
                                          {"ranks", std::int64_t{state.ranks()}},
                                          {"step", state.first_step},
                                          {"steps", state.steps}};
  for (const auto& checkpoint : begin.passed_over()) pass_over(decision, checkpoint);
  begin_forming(decision);
}

void take_detached(Decision& decision, int node) {
  if (decision.state.phase == State::Phase::kEnded) return;
  if (decision.state.nodes[static_cast<std::size_t>(node)].ended) return;
  decision.state.detached[node] = decision.now + kAttachSeconds;
  decision.record_node("agent_detached", node);
}

void take_attached(Decision& decision, int node) {
  if (decision.state.detached.erase(node) > 0) decision.record_node("agent_attached", node);
}

// Nobody could reach the controller while it was away: patience begins again.
void take_restarted(Decision& decision) {
  State& state = decision.state;
  if (state.phase == State::Phase::kEnded) return;
  decision.record("controller_restarted");
  Deadlines& deadlines = state.deadlines;
  for (double* deadline : {&deadlines.forming, &deadlines.returning, &deadlines.suspicion,
                           &deadlines.stopping, &deadlines.ending})
    if (*deadline != kNever) *deadline = std::max(*deadline, decision.now + kAttachSeconds);
  for (int node = 0; node < state.nodes_wanted; ++node) {
    const Node& entry = state.nodes[static_cast<std::size_t>(node)];
    if (entry.ready && !entry.ended) state.detached[node] = decision.now + kAttachSeconds;
  }
}

void take_worker_report(Decision& decision, int rank, const protocol::WorkerReport& report) {
  if (decision.state.workers[static_cast<std::size_t>(rank)].pid != report.pid()) return;
  using protocol::FromWorker;
  const FromWorker& said = report.report();
  switch (said.kind_case()) {
    case FromWorker::kCandidate:
      return take_candidate(decision, rank, said.candidate());
    case FromWorker::kFault:
      return take_fault(decision, rank, said.fault());
    case FromWorker::kStep:
      return take_step(decision, rank, said.step());
    case FromWorker::kShardSaved:
      return take_shard_saved(decision, rank, said.shard_saved());
    case FromWorker::kSaveFailed:
      return take_save_failed(decision, rank, said.save_failed());
    case FromWorker::kFailed:
      return take_failed(decision, rank, said.failed());
    case FromWorker::kFinished:
      return take_finished(decision, rank, said.finished());
    case FromWorker::kRestored:
      return take_restored(decision, said.restored());
    case FromWorker::kCheckpointDamaged:
      return take_checkpoint_damaged(decision, rank, said.checkpoint_damaged());
    case FromWorker::KIND_NOT_SET:
      return;
  }
}

void take_daemon_started(Decision& decision, int node, const protocol::DaemonStarted& report) {
  if (report.starts() > 1)
    decision.record_node(report.name() + "_restarted", node, report.previous_death()).details = {
        {"pid", report.pid()}, {"starts", std::int64_t{report.starts()}}};
}

void take_report(Decision& decision, const NodeSaid& said) {
  using protocol::NodeReport;
  const NodeReport& report = said.report();
  const int node = said.node();
  if (report.has_node_ended()) return take_node_ended(decision, node);
  if (is_ending(decision.state)) return;
  const auto rank_of = [&](int slot) { return decision.state.rank_of(node, slot); };
  switch (report.kind_case()) {
    case NodeReport::kNodeReady:
      return take_node_ready(decision, node, report.node_ready());
    case NodeReport::kWorkerStarted:
      return take_worker_started(decision, rank_of(report.worker_started().slot()),
                                 report.worker_started());
    case NodeReport::kWorkerExited:
      return take_worker_exited(decision, rank_of(report.worker_exited().slot()),
                                report.worker_exited(), said.age_seconds());
    case NodeReport::kWorkerReport:
      return take_worker_report(decision, rank_of(report.worker_report().slot()),
                                report.worker_report());
    case NodeReport::kWorkerSilent:
      return take_worker_silent(decision, rank_of(report.worker_silent().slot()),
                                report.worker_silent());
    case NodeReport::kNodeFailed:
      return take_node_failed(decision, node, report.node_failed());
    case NodeReport::kDaemonStarted:
      return take_daemon_started(decision, node, report.daemon_started());
    case NodeReport::kNodeEnded:
    case NodeReport::KIND_NOT_SET:
      return;
  }
}

void give_up_on_agents(Decision& decision) {
  std::vector<int> lost;
  for (const auto& [node, deadline] : decision.state.detached)
    if (deadline <= decision.now) lost.push_back(node);
  for (const int node : lost)
    take_node_lost(decision, node, "its agent has not been heard of for 10 s");
}

void tick(Decision& decision) {
  const auto is_due = [&](double deadline) { return deadline <= decision.now; };
  const Deadlines& deadlines = decision.state.deadlines;
  give_up_on_agents(decision);
  if (is_due(deadlines.stopping)) end_unsaved(decision, "it took too long");
  if (is_due(deadlines.suspicion)) end_suspicion(decision);
  if (is_due(deadlines.returning)) give_up_on_survivors(decision);
  if (is_due(deadlines.forming)) give_up_on_forming(decision);
  if (is_due(deadlines.ending)) give_up_on_ending(decision);
}

void dispatch(Decision& decision, const Event& event) {
  const bool ending = is_ending(decision.state);
  switch (event.kind_case()) {
    case Event::kBegin:
      return begin(decision, event.begin());
    case Event::kRestarted:
      return take_restarted(decision);
    case Event::kSaid:
      return take_report(decision, event.said());
    case Event::kAttached:
      return take_attached(decision, event.attached().node());
    case Event::kDetached:
      return take_detached(decision, event.detached().node());
    case Event::kNodeLost:
      if (decision.state.phase == State::Phase::kEnded) return;
      return take_node_lost(decision, event.node_lost().node(), event.node_lost().how());
    case Event::kStop:
      if (ending) return;
      return take_stop(decision, event.stop().why());
    case Event::kTrace:
      return take_trace(decision, event.trace());
    case Event::kClaimed:
      return take_claimed(decision, event.claimed());
    case Event::kClaimRefused:
      return take_claim_refused(decision, event.claim_refused());
    case Event::kCommitted:
      return take_committed(decision, event.committed());
    case Event::kCommitFailed:
      return take_commit_failed(decision, event.commit_failed());
    case Event::kFound:
      return take_checkpoint_found(decision, event.found());
    case Event::kTick:
      return tick(decision);
    case Event::KIND_NOT_SET:
      return;
  }
}

}  // namespace

std::vector<Action> decide(State& state, const Event& event, double now) {
  Decision decision(state, now);
  dispatch(decision, event);
  return std::move(decision.actions);
}

double next_deadline(const State& state) {
  const Deadlines& deadlines = state.deadlines;
  double next = std::min({deadlines.forming, deadlines.returning, deadlines.suspicion,
                          deadlines.stopping, deadlines.ending});
  for (const auto& [node, deadline] : state.detached) next = std::min(next, deadline);
  return next;
}

std::vector<Action> unanswered(const State& state) {
  std::vector<Action> actions;
  if (state.phase == State::Phase::kForming && !state.claimed)
    actions.emplace_back(ClaimGeneration{state.generation + 1});
  for (const auto& [step, save] : state.saves)
    if (save.state == Save::State::kCommitting) actions.emplace_back(commit_of(state, step));
  if (state.searching) actions.emplace_back(search_of(state));
  if (state.phase == State::Phase::kEnded) actions.emplace_back(EndJob{*state.verdict});
  return actions;
}

}  // namespace phalanx::control

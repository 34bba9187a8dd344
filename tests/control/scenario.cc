#include "tests/control/scenario.h"

#include <algorithm>

namespace phalanx::control {

using protocol::FromWorker;
using protocol::NodeCommand;
using protocol::NodeReport;

Scenario::Scenario(int nodes, int slots, std::int64_t steps, std::int64_t resume_step) {
  Event event;
  event.mutable_begin()->set_nodes(nodes);
  event.mutable_begin()->set_slots_per_node(slots);
  event.mutable_begin()->set_steps(steps);
  event.mutable_begin()->set_last_generation(0);
  if (resume_step >= 0) {
    SavedState& resume = *event.mutable_begin()->mutable_resume();
    resume.set_directory("checkpoints/resume");
    resume.set_step(resume_step);
    resume.set_tokens(resume_step * 1000);
  }
  tell(std::move(event));
}

const std::vector<Action>& Scenario::tell(Event event) {
  if (!collecting_) actions_.clear();
  std::vector<Event> events{std::move(event)};
  for (std::size_t i = 0; i < events.size(); ++i) {
    for (Action& action : decide(state, Event(events[i]), now)) {
      if (const auto* claim = std::get_if<ClaimGeneration>(&action))
        events.emplace_back().mutable_claimed()->set_generation(claim->generation);
      actions_.push_back(std::move(action));
    }
  }
  return actions_;
}

const std::vector<Action>& Scenario::report(int node, NodeReport report) {
  Event event;
  event.mutable_said()->set_node(node);
  *event.mutable_said()->mutable_report() = std::move(report);
  return tell(std::move(event));
}

const std::vector<Action>& Scenario::say(int rank, FromWorker said) {
  NodeReport message;
  message.mutable_worker_report()->set_slot(state.slot_of(rank));
  message.mutable_worker_report()->set_pid(state.workers[static_cast<std::size_t>(rank)].pid);
  *message.mutable_worker_report()->mutable_report() = std::move(said);
  return report(state.node_of(rank), std::move(message));
}

const std::vector<Action>& Scenario::candidate(int rank, std::int64_t held_step) {
  FromWorker said;
  protocol::Candidate& candidate = *said.mutable_candidate();
  if (state.workers[static_cast<std::size_t>(rank)].was_member)
    candidate.set_left_generation(state.generation);
  candidate.set_held_step(held_step);
  candidate.set_host("10.0.0." + std::to_string(state.node_of(rank)));
  candidate.set_port(static_cast<std::uint32_t>(5000 + rank));
  if (held_step > 0) {
    candidate.mutable_last_step()->set_step(held_step);
    candidate.mutable_last_step()->set_generation(state.generation);
    candidate.mutable_last_step()->set_tokens(held_step * 1000);
    candidate.mutable_last_step()->set_samples(held_step * 10);
    candidate.mutable_last_step()->set_seconds(0.5);
  }
  return say(rank, std::move(said));
}

const std::vector<Action>& Scenario::step(std::int64_t step, int from_rank) {
  FromWorker said;
  said.mutable_step()->set_generation(state.generation);
  said.mutable_step()->set_step(step);
  said.mutable_step()->set_loss(1.0 / static_cast<double>(step));
  said.mutable_step()->set_tokens(step * 1000);
  said.mutable_step()->set_samples(step * 10);
  said.mutable_step()->set_seconds(0.5);
  return say(from_rank, std::move(said));
}

const std::vector<Action>& Scenario::die(int rank, int signal, int code) {
  NodeReport message;
  protocol::WorkerExited& exited = *message.mutable_worker_exited();
  exited.set_slot(state.slot_of(rank));
  exited.set_pid(state.workers[static_cast<std::size_t>(rank)].pid);
  exited.set_signal(signal);
  exited.set_code(code);
  exited.set_last_lines("the last words of rank " + std::to_string(rank));
  return report(state.node_of(rank), std::move(message));
}

const std::vector<Action>& Scenario::fault(int rank, const std::string& kind, int peer) {
  FromWorker said;
  said.mutable_fault()->set_generation(state.generation);
  said.mutable_fault()->set_kind(kind);
  said.mutable_fault()->set_peer(peer);
  said.mutable_fault()->set_message("all_reduce 17: " + kind);
  return say(rank, std::move(said));
}

const std::vector<Action>& Scenario::silent(int rank) {
  NodeReport message;
  protocol::WorkerSilent& silent = *message.mutable_worker_silent();
  silent.set_slot(state.slot_of(rank));
  silent.set_pid(state.workers[static_cast<std::size_t>(rank)].pid);
  silent.set_seconds(12.5);
  silent.set_phase("backward");
  return report(state.node_of(rank), std::move(message));
}

const std::vector<Action>& Scenario::shard(int rank, std::int64_t step) {
  FromWorker said;
  said.mutable_shard_saved()->set_generation(state.generation);
  said.mutable_shard_saved()->set_step(step);
  said.mutable_shard_saved()->set_rank(rank);
  said.mutable_shard_saved()->set_stall_seconds(0.5 * rank);
  said.mutable_shard_saved()->set_samples(step * 10);
  said.mutable_shard_saved()->set_tokens(step * 1000);
  said.mutable_shard_saved()->set_shard("shard " + std::to_string(rank));
  return say(rank, std::move(said));
}

const std::vector<Action>& Scenario::save_failed(int rank, std::int64_t step) {
  FromWorker said;
  said.mutable_save_failed()->set_generation(state.generation);
  said.mutable_save_failed()->set_step(step);
  said.mutable_save_failed()->set_rank(rank);
  said.mutable_save_failed()->set_message("No space left on device");
  return say(rank, std::move(said));
}

const std::vector<Action>& Scenario::finished(int rank, std::int64_t step) {
  FromWorker said;
  said.mutable_finished()->set_generation(state.generation);
  said.mutable_finished()->set_step(step);
  return say(rank, std::move(said));
}

const std::vector<Action>& Scenario::restored() {
  FromWorker said;
  said.mutable_restored()->set_generation(state.generation);
  return say(0, std::move(said));
}

const std::vector<Action>& Scenario::committed(std::int64_t step) {
  Event event;
  SavedState& saved = *event.mutable_committed()->mutable_state();
  saved.set_step(step);
  saved.set_directory("checkpoints/" + std::to_string(step));
  return tell(std::move(event));
}

const std::vector<Action>& Scenario::commit_failed(std::int64_t step) {
  Event event;
  event.mutable_commit_failed()->set_step(step);
  event.mutable_commit_failed()->set_message("No space left on device");
  return tell(std::move(event));
}

const std::vector<Action>& Scenario::damaged(int rank, const std::string& directory) {
  FromWorker said;
  said.mutable_checkpoint_damaged()->set_generation(state.generation);
  auto& checkpoint = *said.mutable_checkpoint_damaged()->mutable_checkpoint();
  checkpoint.set_directory(directory);
  checkpoint.set_reason(directory + "/shard: parameter t [0:8]: expected checksum a, found b");
  return say(rank, std::move(said));
}

const std::vector<Action>& Scenario::found(std::int64_t step) {
  Event event;
  event.mutable_found();
  if (step >= 0) {
    SavedState& state = *event.mutable_found()->mutable_state();
    state.set_step(step);
    state.set_tokens(step * 1000);
    state.set_directory("checkpoints/" + std::to_string(step));
  }
  return tell(std::move(event));
}

const std::vector<Action>& Scenario::stop(StopRequest::Why why) {
  Event event;
  event.mutable_stop()->set_why(why);
  return tell(std::move(event));
}

const std::vector<Action>& Scenario::node_ended(int node) {
  NodeReport message;
  message.mutable_node_ended();
  return report(node, std::move(message));
}

const std::vector<Action>& Scenario::wait(double seconds) {
  const double until = now + seconds;
  actions_.clear();
  collecting_ = true;
  while (next_deadline(state) <= until) {
    now = std::max(now, next_deadline(state));
    Event event;
    event.mutable_tick();
    tell(std::move(event));
  }
  collecting_ = false;
  now = until;
  return actions_;
}

void Scenario::all_ready() {
  for (int node = 0; node < state.nodes_wanted; ++node) {
    NodeReport message;
    message.mutable_node_ready()->set_node(node);
    message.mutable_node_ready()->set_name("node" + std::to_string(node));
    report(node, std::move(message));
  }
}

void Scenario::start_worker(int rank) {
  NodeReport message;
  message.mutable_worker_started()->set_slot(state.slot_of(rank));
  message.mutable_worker_started()->set_pid(next_pid_++);
  report(state.node_of(rank), std::move(message));
}

void Scenario::train_to(std::int64_t last) {
  for (std::int64_t number = state.recorded_step() + 1; number <= last; ++number) step(number);
}

void Scenario::all_die() {
  std::vector<int> all;
  for (int rank = 0; rank < state.ranks(); ++rank) {
    die(rank);
    all.push_back(rank);
  }
  rejoin(-1, all);
}

void Scenario::begin() {
  all_ready();
  for (int rank = 0; rank < state.ranks(); ++rank) start_worker(rank);
  for (int rank = 0; rank < state.ranks(); ++rank) candidate(rank);
}

void Scenario::rejoin(std::int64_t held_step, const std::vector<int>& dead) {
  for (const int rank : dead) start_worker(rank);
  for (int rank = 0; rank < state.ranks(); ++rank) {
    const bool is_new = std::count(dead.begin(), dead.end(), rank) > 0;
    candidate(rank, is_new ? -1 : held_step);
  }
}

void Scenario::all_finish(std::int64_t step) {
  for (int rank = 0; rank < state.ranks(); ++rank) finished(rank, step);
}

void Scenario::all_save(std::int64_t step) {
  for (int rank = 0; rank < state.ranks(); ++rank) shard(rank, step);
}

void Scenario::end_nodes() {
  for (int node = 0; node < state.nodes_wanted; ++node) node_ended(node);
}

std::vector<NodeCommand> Scenario::commands(NodeCommand::KindCase kind) const {
  std::vector<NodeCommand> found;
  for (const Send& send : last<Send>())
    if (send.command->kind_case() == kind) found.push_back(*send.command);
  return found;
}

std::vector<Record> Scenario::events(const std::string& kind) const {
  std::vector<Record> found = last<Record>();
  std::erase_if(found, [&](const Record& record) { return record.kind != kind; });
  return found;
}

protocol::Roster Scenario::roster() const {
  const auto found = commands(NodeCommand::kRoster);
  return found.empty() ? protocol::Roster() : found.back().roster();
}

protocol::Abort Scenario::abort() const {
  const auto found = commands(NodeCommand::kAbort);
  return found.empty() ? protocol::Abort() : found.back().abort();
}

Verdict Scenario::ended() const {
  const auto found = last<EndJob>();
  return found.empty() ? Verdict{-1, "", "", ""} : found.back().verdict;
}

}  // namespace phalanx::control

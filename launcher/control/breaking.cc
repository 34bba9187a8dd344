#include "launcher/control/breaking.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/control/ending.h"
#include "launcher/control/forming.h"
#include "launcher/control/verdict.h"

namespace phalanx::control {
namespace {

constexpr double kReturnSeconds = 10;

void send_abort(Decision& decision, int rank, const std::string& reason) {
  protocol::NodeCommand command;
  command.mutable_abort()->set_generation(decision.state.generation);
  command.mutable_abort()->set_rank(rank);
  command.mutable_abort()->set_reason(reason);
  decision.send_all(std::move(command));
}

void expect_survivors(State& state) {
  for (Worker& worker : state.workers)
    if (worker.state == Worker::State::kMember || worker.state == Worker::State::kFinished)
      worker.state = Worker::State::kReturning;
  state.finished = 0;
}

// A backend that cannot re-form: nobody is of use in another generation. Their deaths are ours and
// say nothing about the ranks.
void end_processes(Decision& decision) {
  State& state = decision.state;
  for (int rank = 0; rank < state.ranks(); ++rank) {
    Worker& worker = state.workers[static_cast<std::size_t>(rank)];
    if (worker.state == Worker::State::kCandidate) worker.state = Worker::State::kReturning;
    decision.kill_worker(rank);
  }
  state.candidates = 0;
}

void begin_round(State& state, const Death& death) {
  if (state.rounds.size() == kRounds) state.rounds.pop_front();
  state.rounds.emplace_back();
  add_to_round(state, death);
}

}  // namespace

void add_to_round(State& state, const Death& death) {
  if (state.rounds.empty()) return;
  Round& round = state.rounds.back();
  if (death.rank != kNobody) round.ranks.insert(death.rank);
  if (death.any_rank) round.causes.insert(death.cause.empty() ? death.how : death.cause);
  round.hang = round.hang || death.hang;
  if (round.account.empty()) {
    round.account =
        death.rank == kNobody ? death.how : fmt::format("rank {} {}", death.rank, death.how);
    if (!death.last_lines.empty()) round.account += "\nlast lines of its log:\n" + death.last_lines;
  }
}

void break_generation(Decision& decision, const Death& death) {
  State& state = decision.state;
  state.reason =
      death.rank == kNobody ? death.how : fmt::format("rank {} {}", death.rank, death.how);
  send_abort(decision, death.rank, state.reason);
  decision.record_rank("generation_broken", death.rank, state.reason);

  const double first_sign = state.suspicion ? state.suspicion->since : decision.now;
  Recovery recovery;
  recovery.cause = state.reason;
  recovery.rank = death.rank;
  recovery.noticed_at = decision.now;
  recovery.noticed_seconds = std::max(decision.now - first_sign, death.age_seconds);
  state.recoveries.push_back(std::move(recovery));
  begin_round(state, death);

  expect_survivors(state);
  if (state.needs_new_processes) end_processes(decision);
  state.suspicion.reset();
  state.deadlines.suspicion = kNever;
  state.deadlines.returning = decision.now + kReturnSeconds;
  if (state.stop && ++state.recoveries_since_stop > 1) {
    end_unsaved(decision,
                "a second failure while the final state was being saved: " + state.reason);
    return;
  }
  begin_forming(decision);
  try_to_form(decision);
}

}  // namespace phalanx::control

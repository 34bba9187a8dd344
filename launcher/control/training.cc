#include "launcher/control/training.h"

#include <fmt/format.h>
#include <string.h>

#include "launcher/control/breaking.h"
#include "launcher/control/ending.h"
#include "launcher/control/verdict.h"

namespace phalanx::control {
namespace {

constexpr double kSuspicionSeconds = 2;

std::string describe_exit(const protocol::WorkerExited& report) {
  if (report.signal() != 0)
    return fmt::format("signal {} ({})", report.signal(), ::strsignal(report.signal()));
  return fmt::format("exit status {}", report.code());
}

bool is_member(const Worker& worker) {
  return worker.state == Worker::State::kMember || worker.state == Worker::State::kFinished;
}

}  // namespace

void take_worker_started(Decision& decision, int rank, const protocol::WorkerStarted& report) {
  Worker& worker = decision.state.workers[static_cast<std::size_t>(rank)];
  worker.pid = report.pid();
  worker.start_time = report.start_time();
}

void take_worker_exited(Decision& decision, int rank, const protocol::WorkerExited& report,
                        double age_seconds) {
  State& state = decision.state;
  Worker& worker = state.workers[static_cast<std::size_t>(rank)];
  if (worker.pid != report.pid()) return;
  const std::string how = describe_exit(report);
  Record& line = decision.record_rank("worker_died", rank,
                                      worker.killed ? "ended by the controller: " + how : how);
  line.details = {{"pid", report.pid()},
                  {"code", std::int64_t{report.code()}},
                  {"signal", std::int64_t{report.signal()}}};
  if (state.phase == State::Phase::kCommitting) return;
  Death death;
  death.rank = rank;
  death.how = "died: " + how;
  death.any_rank = report.signal() == 0;
  death.last_lines = report.last_lines();
  death.age_seconds = age_seconds;
  if (!worker.was_member && ++worker.failed_starts >= kRounds) {
    end_job(decision, verdict_on_start(state, death));
    return;
  }
  if (worker.state == Worker::State::kCandidate) --state.candidates;
  worker.state = Worker::State::kAbsent;
  if (state.phase == State::Phase::kTraining)
    break_generation(decision, death);
  else if (worker.was_member && !worker.killed)
    add_to_round(state, death);
  if (state.phase == State::Phase::kForming) decision.start_worker(rank);
}

void take_worker_silent(Decision& decision, int rank, const protocol::WorkerSilent& report) {
  State& state = decision.state;
  const Worker& worker = state.workers[static_cast<std::size_t>(rank)];
  if (worker.pid != report.pid() || worker.killed) return;
  const std::string how =
      fmt::format("showed no sign of life for {:.1f} s while {}", report.seconds(), report.phase());
  Record& line = decision.record_rank("worker_silent", rank, how);
  line.details = {{"pid", report.pid()}, {"seconds", report.seconds()}, {"phase", report.phase()}};
  const bool breaks = state.phase == State::Phase::kTraining && is_member(worker);
  decision.kill_worker(rank);
  if (!breaks) return;
  Death death;
  death.rank = rank;
  death.how = how;
  death.hang = true;
  death.age_seconds = report.seconds();
  break_generation(decision, death);
}

void take_fault(Decision& decision, int rank, const protocol::Fault& fault) {
  State& state = decision.state;
  if (state.phase != State::Phase::kTraining || fault.generation() != state.generation) return;
  const int peer = fault.peer() < state.ranks() ? fault.peer() : kNobody;
  Record& line = decision.record_rank("fault", rank, fault.message());
  line.details = {{"fault", fault.kind()}, {"peer", std::int64_t{peer}}};
  if (fault.kind() == "peer died" || fault.kind() == "aborted") {
    suspect(decision, peer, fault.message());
    return;
  }
  Death death;
  death.rank = peer;
  death.how = fmt::format("{} (seen by rank {}): {}", fault.kind(), rank, fault.message());
  death.cause = fault.kind();
  death.any_rank = true;
  death.hang = fault.kind() == "timeout";
  if (death.hang && peer != kNobody) decision.kill_worker(peer);
  break_generation(decision, death);
}

void suspect(Decision& decision, int peer, const std::string& message) {
  State& state = decision.state;
  if (!state.suspicion) {
    state.suspicion = Suspicion{peer, decision.now, message};
    state.deadlines.suspicion = decision.now + kSuspicionSeconds;
  } else if (state.suspicion->peer == kNobody) {
    state.suspicion->peer = peer;
  }
}

void end_suspicion(Decision& decision) {
  const Suspicion suspicion = *decision.state.suspicion;
  Death death;
  death.rank = suspicion.peer;
  death.how = suspicion.message;
  death.cause = "fault";
  if (suspicion.peer != kNobody) {
    decision.record_rank("worker_killed", suspicion.peer, "a peer lost it: " + suspicion.message);
    decision.kill_worker(suspicion.peer);
  }
  break_generation(decision, death);
}

void take_step(Decision& decision, int rank, const protocol::StepReport& step) {
  const State& state = decision.state;
  if (rank != 0 || step.generation() != state.generation) return;
  if (step.step() > state.recorded_step()) record_step(decision, step);
}

void take_restored(Decision& decision, const protocol::Restored& restored) {
  State& state = decision.state;
  if (restored.generation() != state.generation) return;
  decision.record("restored").details = {{"step", state.begin_step}};
  for (auto recovery = state.recoveries.rbegin();
       recovery != state.recoveries.rend() && recovery->resumed_seconds < 0; ++recovery)
    recovery->resumed_seconds = decision.now - recovery->noticed_at;
}

void record_step(Decision& decision, const protocol::StepReport& step) {
  State& state = decision.state;
  const std::int64_t before =
      state.records.empty() ? state.first_tokens : state.records.back().tokens;
  const std::int64_t steps = step.step() - state.recorded_step();
  state.tokens_per_second = step.seconds() > 0 ? static_cast<double>(step.tokens() - before) /
                                                     static_cast<double>(steps) / step.seconds()
                                               : 0;
  state.records.resize(static_cast<std::size_t>(step.step() - state.first_step),
                       StepRecord{0, step.tokens(), 0});
  state.records.back() = {step.seconds(), step.tokens(), step.model_flops_per_second()};
  if (step.has_peak_flops_per_second()) state.peak_flops_per_second = step.peak_flops_per_second();
  state.last_step = step;
  decision.actions.emplace_back(RecordStep{step, state.tokens_per_second});
}

void go_back_to(State& state, std::int64_t step) {
  if (step < state.recorded_step())
    state.records.resize(static_cast<std::size_t>(step - state.first_step));
}

void go_on_from(State& state, const SavedState& saved) {
  if (saved.step() >= state.first_step && saved.step() <= state.recorded_step())
    return go_back_to(state, saved.step());
  state.records.clear();
  state.first_step = saved.step();
  state.first_tokens = saved.tokens();
}

}  // namespace phalanx::control

#include "runtime/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "kernels/peak.h"
#include "layout/tensor_spec.h"
#include "runtime/agree.h"
#include "runtime/memory_report.h"

namespace phalanx::runtime {
namespace {

using protocol::Phase;

// The longest that a collective waits for a rank before its generation gives it up: more than any
// step's compute.
constexpr auto kCommDeadline = std::chrono::seconds(120);

int rank_of(const protocol::Roster& roster, const protocol::Start& start) {
  for (const auto& place : roster.places())
    if (place.node() == start.node() && place.slot() == start.slot()) return place.rank();
  check(false, "a roster names the worker that it is sent to");
  return -1;
}

comm::Membership membership(const protocol::Roster& roster, const protocol::Start& start,
                            const config::Link& link, FileDescriptor memory,
                            protocol::BlackBox& black_box, protocol::SpanRing& spans) {
  comm::Membership membership;
  membership.generation = roster.generation();
  membership.rank = rank_of(roster, start);
  for (const auto& place : roster.places())
    membership.peers.push_back({place.rank(), place.node(), place.host(),
                                static_cast<std::uint16_t>(place.port()), place.slot()});
  membership.secret = start.secret();
  membership.deadline = kCommDeadline;
  membership.link = {link.bandwidth * 1e9 / 8,
                     std::chrono::duration_cast<Duration>(
                         std::chrono::duration<double, std::micro>(link.latency))};
  membership.node_memory = std::move(memory);
  membership.black_box = &black_box;
  membership.spans = &spans;
  return membership;
}

// A rank's share of the FLOPs of `tokens` trained.
double flops_of_rank(const config::Job& job, std::int64_t tokens, int ranks) {
  return layout::flops_per_token(job.model) * static_cast<double>(tokens) / ranks;
}

double peak_of_rank(const config::Job& job) {
  const auto type =
      job.train.precision == "bf16" ? c10::ScalarType::BFloat16 : c10::ScalarType::Float;
  return kernels::peak_flops_per_second(type) * static_cast<double>(job.launch.threads_per_rank);
}

}  // namespace

Generation::Generation(Worker& worker, Summons summons)
    : worker_(worker),
      roster_(std::move(summons.roster)),
      rank_(rank_of(roster_, worker.keeper.start())) {
  worker_.black_box.generation = roster_.generation();
  worker_.phases.enter(Phase::kConnecting);
  communicator_ = worker_.endpoint.join(
      membership(roster_, worker_.keeper.start(), worker_.job.launch.emulate_link,
                 std::move(summons.node_memory), worker_.black_box, worker_.tracer.spans()));
  check(rank_ == worker_.holding.state.rank(), "a worker keeps its rank");
  groups_ = make_mesh_groups(*communicator_, worker_.holding.state);
  worker_.keeper.on_abort(roster_.generation(), [this](int rank, const std::string& reason) {
    communicator_->abort(rank, reason);
  });
}

Generation::~Generation() { worker_.keeper.on_abort(0, nullptr); }

void Generation::run() {
  worker_.phases.enter(Phase::kRestoring);
  worker_.saving.prepare(worker_.holding.state);
  // An unfinished save ended with the generation that began it. The beginning needs none.
  const std::int64_t held = worker_.holding.state.progress.step;
  worker_.holding.ledger.saved = held == 0 || worker_.saving.has(held);
  restore(roster_, *communicator_, *groups_.world, worker_.holding);
  Stepper stepper(worker_.job, worker_.holding.state, worker_.data, groups_, worker_.phases);
  if (rank_ == 0) {
    protocol::FromWorker restored;
    restored.mutable_restored()->set_generation(roster_.generation());
    worker_.keeper.send(restored);
  }
  bool stopping = settle(stepper);
  worker_.phases.take();  // what came before the generation's first step is not the step's
  while (!stopping && !last_step()) stopping = step(stepper);
  finish();
}

// A death may have come between a step's commit and what follows it: validation, report, save. All
// ranks have the same ledger and so do what is missing together. Returns whether to stop at once.
bool Generation::settle(Stepper& stepper) {
  const double stop = worker_.keeper.stop_requested() ? 1 : 0;
  const auto wishing = sum_over(*groups_.world, {&stop, 1}, worker_.holding.state.device());
  const bool stopping = wishing[0] > 0;
  conclude(stepper, stopping);
  return stopping;
}

bool Generation::step(Stepper& stepper) {
  auto& tracer = worker_.tracer;
  tracer.begin_step(roster_.generation(), worker_.holding.state.progress.step + 1,
                    worker_.keeper.take_traces());
  const auto begin = Clock::now();
  const std::int64_t tokens_before = worker_.holding.state.progress.tokens;
  const StepOutcome outcome = stepper.run({worker_.keeper.stop_requested(), tracer.waiting()});
  if (!std::exchange(memory_told_, true))
    std::fprintf(stderr, "%s\n", memory_report(stepper.arena()).c_str());
  auto& ledger = worker_.holding.ledger;
  ledger = {};
  ledger.loss = outcome.loss;
  ledger.grad_norm = outcome.grad_norm;
  ledger.lr = outcome.lr;
  ledger.balance_loss = outcome.balance_loss;
  ledger.busiest_expert = outcome.busiest_expert;
  ledger.seconds = seconds(Clock::now() - begin);
  ledger.model_flops_per_second =
      flops_of_rank(worker_.job, worker_.holding.state.progress.tokens - tokens_before,
                    groups_.world->size()) /
      ledger.seconds;
  ledger.phases = worker_.phases.take();
  conclude(stepper, outcome.stop);
  worker_.phases.end_step();
  tracer.end_step({worker_.holding.state.progress.step, rank_, outcome.all_trace});
  return outcome.stop;
}

// What belongs to a step after its commit, each part once.
void Generation::conclude(Stepper& stepper, bool stopping) {
  auto& ledger = worker_.holding.ledger;
  if (!ledger.reported && validation_due()) {
    ledger.validation_loss = stepper.validate();
    ledger.validated = true;
  }
  if (!ledger.reported) {
    ledger.reported = true;
    if (rank_ == 0) report();
  }
  if (!ledger.saved && (save_due() || stopping)) {
    worker_.phases.enter(Phase::kSaving);
    worker_.saving.save(worker_.holding.state, roster_.generation());
    ledger.saved = true;
  }
}

void Generation::report() {
  protocol::FromWorker message;
  *message.mutable_step() = step_report(worker_.holding, roster_.generation());
  auto& peak = worker_.peak_flops_per_second;
  if (peak) message.mutable_step()->set_peak_flops_per_second(*peak);
  worker_.keeper.send(message);
  if (peak || !worker_.holding.state.device().is_cpu()) return;
  // Now, for nobody waits for the second step as they do for the first. Of CPUs only.
  worker_.phases.enter(Phase::kMeasuring);
  peak = peak_of_rank(worker_.job);
}

void Generation::finish() {
  worker_.tracer.finish(rank_);
  worker_.saving.finish();
  worker_.phases.enter(Phase::kLeaving);
  protocol::FromWorker message;
  message.mutable_finished()->set_generation(roster_.generation());
  message.mutable_finished()->set_step(worker_.holding.state.progress.step);
  worker_.keeper.send(message);
}

bool Generation::last_step() const {
  return worker_.holding.state.progress.step >= worker_.job.train.steps;
}

bool Generation::validation_due() const {
  const std::int64_t every = worker_.job.data.validation.every;
  const bool now = last_step() || (every > 0 && worker_.holding.state.progress.step % every == 0);
  return worker_.data.has_validation() && now;
}

bool Generation::save_due() const {
  const std::int64_t every = worker_.job.checkpoint.every;
  return last_step() || (every > 0 && worker_.holding.state.progress.step % every == 0);
}

}  // namespace phalanx::runtime

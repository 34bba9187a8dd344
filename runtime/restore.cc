#include "runtime/restore.h"

#include <type_traits>

#include "checkpoint/error.h"
#include "checkpoint/load.h"
#include "checkpoint/manifest.h"
#include "runtime/saving.h"

namespace phalanx::runtime {
namespace {

// What travels before the buffers, as its bytes.
struct Header {
  Progress progress;
  Ledger ledger;
};

Header share_header(comm::Group& world, int source, const Holding& holding) {
  Header header{holding.state.progress, holding.ledger};
  static_assert(std::is_trivially_copyable_v<Header>);
  world.broadcast({&header, sizeof header, comm::ElementType::kUInt8}, source).wait();
  return header;
}

// The source and those that lack the state, the source first.
std::vector<int> receivers(const protocol::Roster& roster) {
  std::vector<int> ranks = {roster.source_rank()};
  for (const auto& place : roster.places())
    if (place.held_step() != roster.step()) ranks.push_back(place.rank());
  return ranks;
}

void receive_replica(const protocol::Roster& roster, int rank, comm::Communicator& communicator,
                     comm::Group& world, Holding& holding) {
  const Header header = share_header(world, roster.source_rank(), holding);
  const auto ranks = receivers(roster);
  const bool lacks = holding.held_step() != roster.step();
  if (ranks.size() > 1 && (lacks || rank == roster.source_rank())) {
    if (lacks) holding.whole = false;
    const auto group = communicator.make_group(ranks);
    for (const auto& kind : kinds_of_state(holding.state)) group->broadcast(kind.flat, 0).wait();
  }
  holding.state.progress = header.progress;
  holding.ledger = header.ledger;
}

protocol::StepTimes step_times(const PhaseClock::Seconds& phases) {
  using protocol::Phase;
  const auto of = [&](Phase phase) { return phases[static_cast<std::size_t>(phase)]; };
  protocol::StepTimes times;
  times.set_data(of(Phase::kData));
  times.set_forward(of(Phase::kForward));
  times.set_backward(of(Phase::kBackward));
  times.set_communication(of(Phase::kCommit));
  times.set_optimizer(of(Phase::kOptimizer));
  times.set_snapshot(of(Phase::kSaving));
  return times;
}

}  // namespace

protocol::StepReport step_report(const Holding& holding, std::uint64_t generation) {
  protocol::StepReport report;
  report.set_generation(generation);
  report.set_step(holding.state.progress.step);
  report.set_loss(holding.ledger.loss);
  if (holding.ledger.validated) report.set_validation_loss(holding.ledger.validation_loss);
  report.set_grad_norm(holding.ledger.grad_norm);
  report.set_lr(holding.ledger.lr);
  if (holding.ledger.busiest_expert > 0) {
    report.set_balance_loss(holding.ledger.balance_loss);
    report.set_busiest_expert(holding.ledger.busiest_expert);
  }
  report.set_tokens(holding.state.progress.tokens);
  report.set_samples(holding.state.progress.samples);
  report.set_seconds(holding.ledger.seconds);
  report.set_model_flops_per_second(holding.ledger.model_flops_per_second);
  *report.mutable_times() = step_times(holding.ledger.phases);
  return report;
}

void load_state(const std::string& checkpoint, ModelState& state) {
  const auto manifest = checkpoint::read_manifest(checkpoint);
  std::vector<checkpoint::MutableStateView> wanted;
  for (const auto& kind : kinds_of_state(state))
    for (const auto& spec : state.specs()) {
      const layout::Region all{spec.name, std::vector<std::int64_t>(spec.shape.size(), 0),
                               spec.shape};
      wanted.push_back({kind.name, all, region_in(kind.flat, state.flat(), state.specs(), all)});
    }
  checkpoint::load(checkpoint, manifest, wanted);
  state.progress = {manifest.step, manifest.cursor, manifest.tokens};
}

namespace {

// A file that the disk does not give back is as lost as one that was changed.
void load_or_refuse(const std::string& checkpoint, ModelState& state) {
  try {
    load_state(checkpoint, state);
  } catch (const StorageError& error) {
    throw checkpoint::CheckpointError(error.what(), error.help());
  }
}

}  // namespace

void restore(const protocol::Roster& roster, int rank, std::uint64_t seed,
             comm::Communicator& communicator, comm::Group& world, Holding& holding) {
  if (roster.source() == protocol::Roster::REPLICA) {
    receive_replica(roster, rank, communicator, world, holding);
  } else {
    holding.whole = false;
    if (roster.source() == protocol::Roster::CHECKPOINT)
      load_or_refuse(roster.checkpoint(), holding.state);
    else
      holding.state.initialize(seed);
    holding.ledger = {};
    holding.ledger.reported = holding.ledger.saved = true;
  }
  holding.whole = true;
}

}  // namespace phalanx::runtime

#include "runtime/restore.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <type_traits>

#include "base/check.h"
#include "checkpoint/error.h"
#include "checkpoint/load.h"
#include "checkpoint/manifest.h"
#include "parallel/tensor_buffer.h"

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
  const auto bytes = at::from_blob(&header, {sizeof header}, at::kByte);
  const auto travelling = bytes.to(holding.state.device());
  world.broadcast(parallel::buffer_of(travelling), source).wait();
  bytes.copy_(travelling);
  return header;
}

bool lacks(const protocol::Roster& roster, int rank) {
  return roster.places(rank).held_step() != roster.step();
}

// Of ranks that hold the same: the first that holds the roster's step, and those that lack it.
// Empty when none lacks it.
std::vector<int> source_and_receivers(const protocol::Roster& roster,
                                      const std::vector<int>& replicas) {
  const auto source =
      std::ranges::find_if_not(replicas, [&](int rank) { return lacks(roster, rank); });
  check(source != replicas.end(), "what a roster takes from replicas is held by one");
  std::vector<int> ranks = {*source};
  std::ranges::copy_if(replicas, std::back_inserter(ranks),
                       [&](int rank) { return lacks(roster, rank); });
  return ranks.size() == 1 ? std::vector<int>{} : ranks;
}

void receive_replica(const protocol::Roster& roster, comm::Communicator& communicator,
                     comm::Group& world, Holding& holding) {
  auto& state = holding.state;
  const Header header = share_header(world, roster.source_rank(), holding);
  // In the order of their members, which is the same for all: no two ranks wait for each other.
  std::map<std::vector<int>, std::shared_ptr<comm::Group>> groups;
  for (const auto& part : state.parts())
    groups[source_and_receivers(roster, part.bucket.replicas)] = nullptr;
  for (auto& [ranks, group] : groups)
    if (std::ranges::count(ranks, state.rank()) > 0) group = communicator.make_group(ranks);
  if (lacks(roster, state.rank())) holding.whole = false;
  for (auto& part : state.parts()) {
    const auto& group = groups.at(source_and_receivers(roster, part.bucket.replicas));
    if (!group) continue;
    for (const auto& kind : kinds_of_state())
      group->broadcast(parallel::buffer_of(part.*kind.tensor), 0).wait();
  }
  state.progress = header.progress;
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
  std::vector<at::Tensor> loaded;
  for (const auto& kind : kinds_of_state())
    for (const auto& part : state.parts()) {
      const auto values = floats_of(loaded.emplace_back(host_memory_for(part.*kind.tensor)));
      for (const auto& [region, offset] :
           layout::regions_between(part.bucket, part.begin, part.begin + part.count()))
        wanted.push_back({kind.name, region,
                          values.subspan(static_cast<std::size_t>(offset - part.begin),
                                         static_cast<std::size_t>(region.elements()))});
    }
  checkpoint::load(checkpoint, manifest, wanted);
  auto from = loaded.begin();
  for (const auto& kind : kinds_of_state())
    for (const auto& part : state.parts()) (part.*kind.tensor).copy_(*from++);
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

void restore(const protocol::Roster& roster, comm::Communicator& communicator, comm::Group& world,
             Holding& holding) {
  if (roster.source() == protocol::Roster::REPLICA) {
    receive_replica(roster, communicator, world, holding);
  } else {
    holding.whole = false;
    if (roster.source() == protocol::Roster::CHECKPOINT)
      load_or_refuse(roster.checkpoint(), holding.state);
    else
      holding.state.initialize();
    holding.ledger = {};
    holding.ledger.reported = holding.ledger.saved = true;
  }
  holding.whole = true;
}

}  // namespace phalanx::runtime

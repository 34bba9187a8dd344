#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "layout/schedule_passes.h"

namespace phalanx::layout {
namespace {

// What a pass hands to or takes from another rank, if anything.
bool sends(const Schedule& schedule, int rank, const Operation& pass, OperationKind& kind) {
  const bool forward = pass.kind == OperationKind::kForward;
  const bool backward =
      pass.kind == OperationKind::kBackward || pass.kind == OperationKind::kBackwardInput;
  kind = forward ? OperationKind::kSendActivation : OperationKind::kSendGradient;
  return (forward && schedule.crosses(rank, pass.chunk, 1)) ||
         (backward && schedule.crosses(rank, pass.chunk, -1));
}

bool receives(const Schedule& schedule, int rank, const Operation& pass, OperationKind& kind) {
  const bool forward = pass.kind == OperationKind::kForward;
  const bool backward =
      pass.kind == OperationKind::kBackward || pass.kind == OperationKind::kBackwardInput;
  kind = forward ? OperationKind::kReceiveActivation : OperationKind::kReceiveGradient;
  return (forward && schedule.crosses(rank, pass.chunk, -1)) ||
         (backward && schedule.crosses(rank, pass.chunk, 1));
}

// The receive that belongs to a send.
Operation receive_of(const Schedule& schedule, int rank, const Operation& send) {
  const bool activation = send.kind == OperationKind::kSendActivation;
  const int stage = schedule.stage(rank, send.chunk) + (activation ? 1 : -1);
  return {activation ? OperationKind::kReceiveActivation : OperationKind::kReceiveGradient,
          send.micro_batch, schedule.chunk_of(stage)};
}

// Receives still to come, by (sender, receiver), in the order of their sends.
struct Channel {
  std::vector<Operation> receives;
  std::size_t taken = 0;
};
using Channels = std::map<std::pair<int, int>, Channel>;

Channels add_sends(Schedule& schedule) {
  Channels channels;
  for (int rank = 0; rank < schedule.rank_count(); ++rank) {
    auto& list = schedule.ranks[static_cast<std::size_t>(rank)];
    std::vector<Operation> result;
    for (const auto& operation : list) {
      result.push_back(operation);
      Operation send = operation;
      if (!sends(schedule, rank, operation, send.kind)) continue;
      result.push_back(send);
      channels[{rank, schedule.peer(rank, send)}].receives.push_back(
          receive_of(schedule, rank, send));
    }
    list = std::move(result);
  }
  return channels;
}

void add_receives(Schedule& schedule, int rank, Channels& channels) {
  auto& list = schedule.ranks[static_cast<std::size_t>(rank)];
  std::vector<Operation> result;
  std::set<std::tuple<OperationKind, int, int>> received;
  for (const auto& operation : list) {
    Operation need = operation;
    if (receives(schedule, rank, operation, need.kind)) {
      auto& channel = channels[{schedule.peer(rank, need), rank}];
      while (!received.contains({need.kind, need.micro_batch, need.chunk})) {
        check(channel.taken < channel.receives.size(), "every message that a pass needs is sent");
        const auto& next = channel.receives[channel.taken++];
        received.emplace(next.kind, next.micro_batch, next.chunk);
        result.push_back(next);
      }
    }
    result.push_back(operation);
  }
  list = std::move(result);
}

}  // namespace

Schedule with_transfers(Schedule schedule) {
  auto channels = add_sends(schedule);
  for (int rank = 0; rank < schedule.rank_count(); ++rank) add_receives(schedule, rank, channels);
  return schedule;
}

}  // namespace phalanx::layout

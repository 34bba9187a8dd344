#include "layout/schedule_walk.h"

namespace phalanx::layout {

bool matches(const Schedule& schedule, int sender, const Operation& send, int receiver,
             const Operation& receive) {
  const bool activation = send.kind == OperationKind::kSendActivation;
  return receive.kind ==
             (activation ? OperationKind::kReceiveActivation : OperationKind::kReceiveGradient) &&
         receive.micro_batch == send.micro_batch &&
         schedule.stage(receiver, receive.chunk) ==
             schedule.stage(sender, send.chunk) + (activation ? 1 : -1);
}

ScheduleWalk::ScheduleWalk(const Schedule& schedule, std::size_t capacity)
    : schedule_(schedule), capacity_(capacity), positions_(schedule.ranks.size(), 0) {}

const Operation* ScheduleWalk::current(int rank) const {
  const auto& list = schedule_.ranks[static_cast<std::size_t>(rank)];
  return position(rank) < list.size() ? &list[position(rank)] : nullptr;
}

bool ScheduleWalk::send(int rank, const Operation& operation) {
  const int peer = schedule_.peer(rank, operation);
  auto& channel = channels_[{rank, peer}];
  const Operation* there = current(peer);
  const bool awaited = channel.empty() && there != nullptr && is_receive(there->kind) &&
                       schedule_.peer(peer, *there) == rank;
  if (channel.size() >= capacity_ && !awaited) return false;
  channel.push_back(operation);
  return true;
}

bool ScheduleWalk::receive(int rank, const Operation& operation) {
  const int peer = schedule_.peer(rank, operation);
  auto& channel = channels_[{peer, rank}];
  if (channel.empty() || !matches(schedule_, peer, channel.front(), rank, operation)) return false;
  channel.pop_front();
  return true;
}

bool ScheduleWalk::step(int rank) {
  const Operation* operation = current(rank);
  if (operation == nullptr) return false;
  if (is_send(operation->kind) && !send(rank, *operation)) return false;
  if (is_receive(operation->kind) && !receive(rank, *operation)) return false;
  ++positions_[static_cast<std::size_t>(rank)];
  return true;
}

void ScheduleWalk::run(const Done& done) {
  for (bool progress = true; progress;) {
    progress = false;
    for (int rank = 0; rank < schedule_.rank_count(); ++rank)
      while (step(rank)) {
        progress = true;
        if (done) done(rank, position(rank) - 1);
      }
  }
}

bool ScheduleWalk::finished() const {
  for (int rank = 0; rank < schedule_.rank_count(); ++rank)
    if (current(rank) != nullptr) return false;
  return true;
}

Operation ScheduleWalk::next_message(int rank) const {
  const Operation* operation = current(rank);
  if (operation != nullptr && is_receive(operation->kind)) {
    const auto channel = channels_.find({schedule_.peer(rank, *operation), rank});
    if (channel != channels_.end() && !channel->second.empty()) return channel->second.front();
  }
  return {OperationKind::kSendActivation, -1, 0};
}

}  // namespace phalanx::layout

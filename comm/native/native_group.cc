#include "comm/native/native_group.h"

#include <utility>

#include "base/check.h"

namespace phalanx::comm {
namespace {

// Operations up to this size are begun by the caller itself.
constexpr std::size_t kSoonBytes = 64 << 10;

GroupMembers find_members(const Engine& engine, const std::vector<int>& ranks) {
  const Membership& membership = engine.membership();
  GroupMembers members;
  members.ranks = ranks;
  members.rank = -1;
  std::vector<int> node_of;
  for (std::size_t member = 0; member < ranks.size(); ++member) {
    if (ranks[member] == membership.rank) members.rank = static_cast<int>(member);
    node_of.push_back(membership.peers.at(static_cast<std::size_t>(ranks[member])).node);
  }
  check(members.rank >= 0, "a rank makes only groups that it belongs to");
  members.placement = place(node_of, members.rank);
  return members;
}

}  // namespace

NativeGroup::NativeGroup(std::shared_ptr<Engine> engine, const std::vector<int>& ranks, int index,
                         std::uint64_t key)
    : engine_(std::move(engine)),
      index_(index),
      key_(key),
      members_(find_members(*engine_, ranks)),
      meeting_(*engine_, members_.on_node(members_.placement.node), members_.placement.local, key),
      exchange_(*engine_, members_, key),
      messages_(*engine_, members_, meeting_, key) {}

std::span<std::byte> NativeGroup::allocate(std::size_t bytes) {
  return engine_->memory().allocate(bytes);
}

Work NativeGroup::all_reduce(std::span<float> data) {
  return start({.operation = Operation::kAllReduce,
                .input = data.data(),
                .output = data.data(),
                .count = data.size()});
}

Work NativeGroup::reduce_scatter(std::span<const float> data, std::span<float> result) {
  check(data.size() == result.size() * static_cast<std::size_t>(size()),
        "reduce_scatter: data holds size() slices of result.size()");
  return start({.operation = Operation::kReduceScatter,
                .input = data.data(),
                .output = result.data(),
                .count = result.size(),
                .input_slices = size()});
}

Work NativeGroup::all_gather(std::span<const float> data, std::span<float> result) {
  check(result.size() == data.size() * static_cast<std::size_t>(size()),
        "all_gather: result holds size() slices of data.size()");
  return start({.operation = Operation::kAllGather,
                .input = data.data(),
                .output = result.data(),
                .count = data.size(),
                .output_slices = size()});
}

Work NativeGroup::broadcast(std::span<float> data, int root) {
  check(root >= 0 && root < size(), "broadcast: the root is a rank of the group");
  return start({.operation = Operation::kBroadcast,
                .root = root,
                .input = data.data(),
                .output = data.data(),
                .count = data.size()});
}

Work NativeGroup::barrier() { return start({.operation = Operation::kBarrier}); }

Work NativeGroup::start(Collective collective) {
  const std::lock_guard lock(mutex_);
  const std::size_t bytes = collective.input_bytes();
  const bool in_place = collective.is_short() || engine_->memory().holds(collective.input, bytes);
  if (collective.count > 0 && (!members_.placement.one_node() || !in_place))
    meeting_.ensure_staging();
  collective.sequence = ++collectives_.sequence;
  auto body = [self = shared_from_this(), collective](Strand& strand) {
    return run_collective(strand, *self->engine_, self->members_, self->meeting_, self->exchange_,
                          collective);
  };
  return submit({collective.operation, collective.sequence, index_, bytes}, std::move(body),
                collectives_.queue);
}

Work NativeGroup::send(std::span<const float> data, int peer) {
  check(peer >= 0 && peer < size() && peer != rank(),
        "send: the peer is another rank of the group");
  const std::lock_guard lock(mutex_);
  messages_.prepare_send(peer);
  Line& line = sends_[peer];
  auto body = [self = shared_from_this(), data, peer, sequence = ++line.sequence](Strand& strand) {
    return self->messages_.send(strand, std::as_bytes(data), peer, sequence);
  };
  return submit(
      {Operation::kSend, line.sequence, index_, data.size_bytes(), members_.generation_rank(peer)},
      std::move(body), line.queue);
}

Work NativeGroup::receive(std::span<float> data, int peer) {
  check(peer >= 0 && peer < size() && peer != rank(),
        "receive: the peer is another rank of the group");
  const std::lock_guard lock(mutex_);
  Line& line = receives_[peer];
  auto body = [self = shared_from_this(), data, peer, sequence = ++line.sequence](Strand& strand) {
    return self->messages_.receive(strand, std::as_writable_bytes(data), peer, sequence);
  };
  return submit({Operation::kReceive, line.sequence, index_, data.size_bytes(),
                 members_.generation_rank(peer)},
                std::move(body), line.queue);
}

Work NativeGroup::submit(OperationInfo info, PendingOperation::Body body,
                         const std::shared_ptr<OperationQueue>& queue) {
  info.key = key_;
  auto pending = std::make_shared<PendingOperation>(engine_, info, std::move(body));
  const auto urgency = info.bytes <= kSoonBytes ? Engine::Urgency::kSoon : Engine::Urgency::kNow;
  engine_->submit(pending, queue, urgency);
  return Work(std::move(pending));
}

}  // namespace phalanx::comm

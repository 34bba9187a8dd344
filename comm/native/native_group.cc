#include "comm/native/native_group.h"

#include <utility>

#include "base/check.h"
#include "comm/arguments.h"

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

const std::byte* bytes_of(ConstBuffer buffer) { return static_cast<const std::byte*>(buffer.data); }
std::byte* bytes_of(Buffer buffer) { return static_cast<std::byte*>(buffer.data); }

}  // namespace

NativeGroup::NativeGroup(std::shared_ptr<Engine> engine, const std::vector<int>& ranks, int index,
                         std::uint64_t key)
    : engine_(std::move(engine)),
      index_(index),
      key_(key),
      members_(find_members(*engine_, ranks)),
      meeting_(*engine_, members_.on_node(members_.placement.node), members_.placement.local, key,
               staging_buffers(members_.placement)),
      exchange_(*engine_, members_, key),
      messages_(*engine_, members_, meeting_, Post::kMessages, key),
      pieces_(*engine_, members_, meeting_, Post::kCollectives, key),
      pairwise_(members_, pieces_) {}

std::span<std::byte> NativeGroup::allocate(std::size_t bytes) {
  return engine_->memory().allocate(bytes);
}

Work NativeGroup::all_reduce(Buffer data, Reduction reduction) {
  return start({.operation = Operation::kAllReduce,
                .reduction = reduction,
                .type = data.type,
                .input = bytes_of(data),
                .output = bytes_of(data),
                .count = data.count});
}

Work NativeGroup::reduce_scatter(ConstBuffer data, Buffer result, Reduction reduction) {
  check_reduce_scatter(*this, data, result);
  return start({.operation = Operation::kReduceScatter,
                .reduction = reduction,
                .type = data.type,
                .input = bytes_of(data),
                .output = bytes_of(result),
                .count = result.count,
                .input_slices = size()});
}

Work NativeGroup::all_gather(ConstBuffer data, Buffer result) {
  check_all_gather(*this, data, result);
  return start({.operation = Operation::kAllGather,
                .type = data.type,
                .input = bytes_of(data),
                .output = bytes_of(result),
                .count = data.count,
                .output_slices = size()});
}

Work NativeGroup::broadcast(Buffer data, int root) {
  check_broadcast(*this, root);
  return start({.operation = Operation::kBroadcast,
                .type = data.type,
                .root = root,
                .input = bytes_of(data),
                .output = bytes_of(data),
                .count = data.count});
}

Work NativeGroup::gather(ConstBuffer data, Buffer result, int root) {
  check_gather(*this, data, result, root);
  return start({.operation = Operation::kGather,
                .type = data.type,
                .root = root,
                .input = bytes_of(data),
                .output = bytes_of(result),
                .count = data.count});
}

Work NativeGroup::scatter(ConstBuffer data, Buffer result, int root) {
  check_scatter(*this, data, result, root);
  return start({.operation = Operation::kScatter,
                .type = result.type,
                .root = root,
                .input = bytes_of(data),
                .output = bytes_of(result),
                .count = result.count,
                .input_slices = rank() == root ? size() : 0});
}

Work NativeGroup::all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts,
                             Buffer result, std::span<const std::size_t> receive_counts) {
  check_all_to_all(*this, data, send_counts, result, receive_counts);
  return start({.operation = Operation::kAllToAll,
                .type = data.type,
                .input = bytes_of(data),
                .output = bytes_of(result),
                .send_counts = {send_counts.begin(), send_counts.end()},
                .receive_counts = {receive_counts.begin(), receive_counts.end()}});
}

Work NativeGroup::barrier() { return start({.operation = Operation::kBarrier}); }

// Makes room in the node's memory now, where the caller can still be told that there is none.
void NativeGroup::prepare(const Collective& collective) {
  if (collective.is_pairwise()) return pairwise_.prepare(collective);
  const bool in_place =
      collective.is_short() || engine_->memory().holds(collective.input, collective.input_bytes());
  if (collective.count > 0 && (!members_.placement.one_node() || !in_place))
    meeting_.ensure_staging();
}

Work NativeGroup::start(Collective collective) {
  const std::lock_guard lock(mutex_);
  prepare(collective);
  collective.sequence = ++collectives_.sequence;
  const OperationInfo info{collective.operation, collective.sequence, index_,
                           collective.input_bytes()};
  auto body = [self = shared_from_this(), collective = std::move(collective)](Strand& strand) {
    return run_collective(strand, *self->engine_, self->members_, self->meeting_, self->exchange_,
                          self->pairwise_, collective);
  };
  return submit(info, std::move(body), collectives_.queue);
}

Work NativeGroup::send(ConstBuffer data, int peer) {
  check_send(*this, peer);
  const std::lock_guard lock(mutex_);
  messages_.prepare_send(peer);
  Line& line = sends_[peer];
  auto body = [self = shared_from_this(), data, peer, sequence = ++line.sequence](Strand& strand) {
    return self->messages_.send(strand, {bytes_of(data), data.bytes()}, peer, sequence);
  };
  return submit(
      {Operation::kSend, line.sequence, index_, data.bytes(), members_.generation_rank(peer)},
      std::move(body), line.queue);
}

Work NativeGroup::receive(Buffer data, int peer) {
  check_receive(*this, peer);
  const std::lock_guard lock(mutex_);
  Line& line = receives_[peer];
  auto body = [self = shared_from_this(), data, peer, sequence = ++line.sequence](Strand& strand) {
    return self->messages_.receive(strand, {bytes_of(data), data.bytes()}, peer, sequence);
  };
  return submit(
      {Operation::kReceive, line.sequence, index_, data.bytes(), members_.generation_rank(peer)},
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

#include "comm/mpi/collective.h"

#include <algorithm>
#include <cstring>

#include "comm/binomial_tree.h"

namespace phalanx::comm {
namespace {

// Up to here everybody gets everybody's data and reduces all of it: one exchange instead of two.
constexpr std::size_t kShort = 8 << 10;
// What a group holds of the others' data at once, and the least that is worth a message.
constexpr std::size_t kStaging = 16 << 20, kLeastPiece = 16 << 10;

std::span<const std::byte> bytes_of(const ConstBuffer& buffer) {
  return {static_cast<const std::byte*>(buffer.data), buffer.bytes()};
}

std::span<std::byte> bytes_of(const Buffer& buffer) {
  return {static_cast<std::byte*>(buffer.data), buffer.bytes()};
}

// The `index`th of `count` parts of a span, which are even as far as whole elements can be.
template <typename Span>
Span part_of(Span whole, int index, int count, std::size_t element) {
  const auto begin_of = [&](int i) {
    return whole.size() / element * static_cast<std::size_t>(i) / static_cast<std::size_t>(count) *
           element;
  };
  return whole.subspan(begin_of(index), begin_of(index + 1) - begin_of(index));
}

}  // namespace

int MpiRoute::tag(Operation operation) const {
  const auto message = operation == Operation::kReceive ? Operation::kSend : operation;
  return group << 4 | static_cast<int>(message);
}

MpiCollectives::MpiCollectives(MpiEngine& engine, int rank, std::vector<MpiRoute> routes)
    : engine_(engine),
      rank_(rank),
      routes_(std::move(routes)),
      plan_(ReductionPlan::of_ranks({0, size()})) {}

Task MpiCollectives::run(MpiOperation& operation, const MpiCollective& collective) {
  switch (collective.operation) {
    case Operation::kAllReduce:
      return collective.data.bytes() <= kShort ? all_reduce(operation, collective)
                                               : all_reduce_pieces(operation, collective);
    case Operation::kReduceScatter:
      return reduce_scatter(operation, collective);
    case Operation::kBroadcast:
      return broadcast(operation, collective);
    case Operation::kBarrier:
      return barrier(operation);
    default:
      return settle(operation, collective.operation,
                    [&](int member) { return dues(collective, member); });
  }
}

// Sends and receives what is due, and copies what this rank owes itself. Asks for it before it
// waits.
Task MpiCollectives::settle(MpiOperation& operation, Operation of, const DuesOf& dues) {
  MpiExchange exchange(engine_.addresses());
  for (int i = 1; i <= size(); ++i) {  // not all to the same one first
    const int member = (rank_ + i) % size();
    const auto [to, from] = dues(member);
    if (member == rank_) {
      if (to && from && to->data() != from->data() && !to->empty())
        std::memcpy(from->data(), to->data(), to->size());
      continue;
    }
    if (from) receive(exchange, of, member, *from);
    if (to) send(exchange, of, member, *to);
  }
  co_await operation.all_done(exchange);
}

void MpiCollectives::send(MpiExchange& exchange, Operation of, int member, ConstBytes data) const {
  const MpiRoute& route = routes_[static_cast<std::size_t>(member)];
  exchange.send(route.peer, route.tag(of), data.data(), data.size());
}

void MpiCollectives::receive(MpiExchange& exchange, Operation of, int member, Bytes data) const {
  const MpiRoute& route = routes_[static_cast<std::size_t>(member)];
  exchange.receive(route.peer, route.tag(of), data.data(), data.size());
}

Task MpiCollectives::all_reduce(MpiOperation& operation, const MpiCollective& collective) {
  const Bytes data = bytes_of(collective.result);
  const DuesOf all_to_all = [&](int member) -> Dues {
    if (member == rank_) return {};
    return {data, staging(member, data.size())};
  };
  co_await settle(operation, collective.operation, all_to_all);
  reduce(collective, data, data);
}

// Round by round everybody reduces the part of the data that it owns, and sends it to all.
Task MpiCollectives::all_reduce_pieces(MpiOperation& operation, const MpiCollective& collective) {
  const std::size_t element = element_size(collective.data.type);
  Bytes rest = bytes_of(collective.result);
  while (!rest.empty()) {
    const auto round = rest.first(std::min(rest.size(), piece() * routes_.size()));
    const auto part = [&](int member) { return part_of(round, member, size(), element); };
    const DuesOf to_owners = [&](int member) -> Dues {
      if (member == rank_) return {};
      return {part(member), staging(member, part(rank_).size())};
    };
    const DuesOf from_owners = [&](int member) -> Dues { return {part(rank_), part(member)}; };
    co_await settle(operation, collective.operation, to_owners);
    reduce(collective, part(rank_), part(rank_));
    co_await settle(operation, collective.operation, from_owners);
    rest = rest.subspan(round.size());
  }
}

Task MpiCollectives::reduce_scatter(MpiOperation& operation, const MpiCollective& collective) {
  const ConstBytes data = bytes_of(collective.data);
  const Bytes result = bytes_of(collective.result);
  std::size_t begin = 0;
  do {
    const std::size_t bytes = std::min(result.size() - begin, piece());
    const auto part = [&](int member) {
      return data.subspan(static_cast<std::size_t>(member) * result.size() + begin, bytes);
    };
    const DuesOf to_owners = [&](int member) -> Dues {
      if (member == rank_) return {};
      return {part(member), staging(member, bytes)};
    };
    co_await settle(operation, collective.operation, to_owners);
    reduce(collective, part(rank_), result.subspan(begin, bytes));
    begin += bytes;
  } while (begin < result.size());
}

Task MpiCollectives::broadcast(MpiOperation& operation, const MpiCollective& collective) {
  const Bytes data = bytes_of(collective.result);
  const int place = (rank_ - collective.root + size()) % size();  // in a tree whose rank 0 is root
  const auto member = [&](int at) { return (at + collective.root) % size(); };
  if (const auto parent = binomial_parent(place)) {
    MpiExchange above(engine_.addresses());
    receive(above, Operation::kBroadcast, member(*parent), data);
    co_await operation.all_done(above);
  }
  MpiExchange below(engine_.addresses());
  for (const int child : binomial_children(place, size()))
    send(below, Operation::kBroadcast, member(child), data);
  co_await operation.all_done(below);
}

// In rounds each tells one that is twice as far away (Hensgen, Finkel and Manber 1988): after the
// last one everybody knows of everybody.
Task MpiCollectives::barrier(MpiOperation& operation) {
  for (int distance = 1; distance < size(); distance *= 2) {
    MpiExchange round(engine_.addresses());
    receive(round, Operation::kBarrier, (rank_ + size() - distance) % size(), {});
    send(round, Operation::kBarrier, (rank_ + distance) % size(), {});
    co_await operation.all_done(round);
  }
}

// Of the collectives that only move data, in one exchange.
MpiCollectives::Dues MpiCollectives::dues(const MpiCollective& collective, int member) const {
  const ConstBytes data = bytes_of(collective.data);
  const Bytes result = bytes_of(collective.result);
  const std::size_t element = element_size(collective.data.type);
  const auto slice = [&](auto whole) { return part_of(whole, member, size(), element); };
  const auto between = [&](auto whole, const std::vector<std::size_t>& offsets) {
    const std::size_t* begin = &offsets[static_cast<std::size_t>(member)];
    return whole.subspan(begin[0] * element, (begin[1] - begin[0]) * element);
  };
  const bool from_root = member == collective.root, is_root = rank_ == collective.root;
  Dues dues;
  switch (collective.operation) {
    case Operation::kAllGather:
      return {data, slice(result)};
    case Operation::kGather:
      if (from_root) dues.to = data;
      if (is_root) dues.from = slice(result);
      return dues;
    case Operation::kScatter:
      if (is_root) dues.to = slice(data);
      if (from_root) dues.from = result;
      return dues;
    default:  // kAllToAll
      return {between(data, collective.send_offsets), between(result, collective.receive_offsets)};
  }
}

MpiCollectives::Bytes MpiCollectives::staging(int member, std::size_t bytes) {
  if (staging_.size() < bytes * routes_.size()) staging_.resize(bytes * routes_.size());
  return Bytes(staging_).subspan(bytes * static_cast<std::size_t>(member), bytes);
}

// The others' data are in the staging, each as large as our own.
void MpiCollectives::reduce(const MpiCollective& collective, ConstBytes own, Bytes result) {
  std::vector<const std::byte*> leaves;
  for (int member = 0; member < size(); ++member)
    leaves.push_back(member == rank_ ? own.data() : staging(member, own.size()).data());
  std::byte* const results[] = {result.data()};
  const ElementType type = collective.data.type;
  plan_.run(collective.reduction, {type, type}, leaves, results, own.size() / element_size(type));
}

std::size_t MpiCollectives::piece() const {
  return std::max(kStaging / routes_.size() / kLeastPiece, std::size_t{1}) * kLeastPiece;
}

}  // namespace phalanx::comm

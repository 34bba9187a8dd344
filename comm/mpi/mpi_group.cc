#include "comm/mpi/mpi_group.h"

#include <utility>

#include "base/check.h"

namespace phalanx::comm {
namespace {

std::vector<std::size_t> offsets_of(std::span<const std::size_t> counts) {
  std::vector<std::size_t> offsets{0};
  for (const std::size_t count : counts) offsets.push_back(offsets.back() + count);
  return offsets;
}

Task send_message(MpiOperation& operation, const MpiEngine& engine, MpiRoute route,
                  ConstBuffer data) {
  Exchange exchange(engine.addresses());
  exchange.send(route.peer, route.tag(Operation::kSend), static_cast<const std::byte*>(data.data),
                data.bytes());
  co_await operation.all_done(exchange);
}

Task receive_message(MpiOperation& operation, const MpiEngine& engine, MpiRoute route,
                     Buffer data) {
  Exchange exchange(engine.addresses());
  exchange.receive(route.peer, route.tag(Operation::kReceive), static_cast<std::byte*>(data.data),
                   data.bytes());
  co_await operation.all_done(exchange);
}

}  // namespace

MpiGroup::MpiGroup(std::shared_ptr<MpiEngine> engine, int rank, const std::vector<MpiRoute>& routes,
                   int index, std::uint64_t key)
    : engine_(std::move(engine)),
      rank_(rank),
      routes_(routes),
      index_(index),
      key_(key),
      collectives_(*engine_, rank, routes) {}

std::span<std::byte> MpiGroup::allocate(std::size_t bytes) { return engine_->allocate(bytes); }

Work MpiGroup::all_reduce(Buffer data, Reduction reduction) {
  return start({Operation::kAllReduce, data, data, reduction});
}

Work MpiGroup::reduce_scatter(ConstBuffer data, Buffer result, Reduction reduction) {
  check(data.count == result.count * routes_.size(),
        "reduce_scatter: data holds size() slices of result.count");
  return start({Operation::kReduceScatter, data, result, reduction});
}

Work MpiGroup::all_gather(ConstBuffer data, Buffer result) {
  check(result.count == data.count * routes_.size(),
        "all_gather: result holds size() slices of data.count");
  return start({Operation::kAllGather, data, result});
}

Work MpiGroup::broadcast(Buffer data, int root) {
  return start({.operation = Operation::kBroadcast, .data = data, .result = data, .root = root});
}

Work MpiGroup::gather(ConstBuffer data, Buffer result, int root) {
  check(result.count == (rank_ == root ? data.count * routes_.size() : 0),
        "gather: on the root, result holds size() slices of data.count, elsewhere nothing");
  return start({.operation = Operation::kGather, .data = data, .result = result, .root = root});
}

Work MpiGroup::scatter(ConstBuffer data, Buffer result, int root) {
  check(data.count == (rank_ == root ? result.count * routes_.size() : 0),
        "scatter: on the root, data holds size() slices of result.count, elsewhere nothing");
  return start({.operation = Operation::kScatter, .data = data, .result = result, .root = root});
}

Work MpiGroup::all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts, Buffer result,
                          std::span<const std::size_t> receive_counts) {
  check(send_counts.size() == routes_.size() && receive_counts.size() == routes_.size(),
        "all_to_all: a count for each rank of the group");
  MpiCollective collective{.operation = Operation::kAllToAll,
                           .data = data,
                           .result = result,
                           .send_offsets = offsets_of(send_counts),
                           .receive_offsets = offsets_of(receive_counts)};
  check(collective.send_offsets.back() == data.count &&
            collective.receive_offsets.back() == result.count,
        "all_to_all: data and result hold a slice for each rank");
  return start(std::move(collective));
}

Work MpiGroup::barrier() { return start({Operation::kBarrier}); }

Work MpiGroup::start(MpiCollective collective) {
  check(collective.root >= 0 && collective.root < size(), "the root is a rank of the group");
  const std::lock_guard lock(mutex_);
  const OperationInfo info{collective.operation, 0, index_, collective.data.bytes()};
  return submit(
      info, collective_line_,
      [self = shared_from_this(), collective = std::move(collective)](MpiOperation& operation) {
        return self->collectives_.run(operation, collective);
      });
}

Work MpiGroup::send(ConstBuffer data, int peer) {
  check(peer >= 0 && peer < size() && peer != rank_, "send: the peer is another rank of the group");
  const std::lock_guard lock(mutex_);
  const MpiRoute route = routes_[static_cast<std::size_t>(peer)];
  return submit({Operation::kSend, 0, index_, data.bytes(), route.peer}, sends_[peer],
                [self = shared_from_this(), route, data](MpiOperation& operation) {
                  return send_message(operation, *self->engine_, route, data);
                });
}

Work MpiGroup::receive(Buffer data, int peer) {
  check(peer >= 0 && peer < size() && peer != rank_,
        "receive: the peer is another rank of the group");
  const std::lock_guard lock(mutex_);
  const MpiRoute route = routes_[static_cast<std::size_t>(peer)];
  return submit({Operation::kReceive, 0, index_, data.bytes(), route.peer}, receives_[peer],
                [self = shared_from_this(), route, data](MpiOperation& operation) {
                  return receive_message(operation, *self->engine_, route, data);
                });
}

Work MpiGroup::submit(OperationInfo info, Line& line, MpiOperation::Body body) {
  info.key = key_;
  info.sequence = ++line.sequence;
  auto operation = std::make_shared<MpiOperation>(engine_, info, std::move(body));
  engine_->submit(operation, line.queue);
  return Work(std::move(operation));
}

}  // namespace phalanx::comm

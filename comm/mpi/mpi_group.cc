#include "comm/mpi/mpi_group.h"

#include <utility>

#include "comm/arguments.h"

namespace phalanx::comm {
namespace {

std::vector<std::size_t> offsets_of(std::span<const std::size_t> counts) {
  std::vector<std::size_t> offsets{0};
  for (const std::size_t count : counts) offsets.push_back(offsets.back() + count);
  return offsets;
}

Task send_message(MpiOperation& operation, const MpiEngine& engine, MpiRoute route,
                  ConstBuffer data) {
  MpiExchange exchange(engine.addresses());
  exchange.send(route.peer, route.tag(Operation::kSend), static_cast<const std::byte*>(data.data),
                data.bytes());
  co_await operation.all_done(exchange);
}

Task receive_message(MpiOperation& operation, const MpiEngine& engine, MpiRoute route,
                     Buffer data) {
  MpiExchange exchange(engine.addresses());
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
  check_reduce_scatter(*this, data, result);
  return start({Operation::kReduceScatter, data, result, reduction});
}

Work MpiGroup::all_gather(ConstBuffer data, Buffer result) {
  check_all_gather(*this, data, result);
  return start({Operation::kAllGather, data, result});
}

Work MpiGroup::broadcast(Buffer data, int root) {
  check_broadcast(*this, root);
  return start({.operation = Operation::kBroadcast, .data = data, .result = data, .root = root});
}

Work MpiGroup::gather(ConstBuffer data, Buffer result, int root) {
  check_gather(*this, data, result, root);
  return start({.operation = Operation::kGather, .data = data, .result = result, .root = root});
}

Work MpiGroup::scatter(ConstBuffer data, Buffer result, int root) {
  check_scatter(*this, data, result, root);
  return start({.operation = Operation::kScatter, .data = data, .result = result, .root = root});
}

Work MpiGroup::all_to_all(ConstBuffer data, std::span<const std::size_t> send_counts, Buffer result,
                          std::span<const std::size_t> receive_counts) {
  check_all_to_all(*this, data, send_counts, result, receive_counts);
  MpiCollective collective{.operation = Operation::kAllToAll,
                           .data = data,
                           .result = result,
                           .send_offsets = offsets_of(send_counts),
                           .receive_offsets = offsets_of(receive_counts)};
  return start(std::move(collective));
}

Work MpiGroup::barrier() { return start({Operation::kBarrier}); }

Work MpiGroup::start(MpiCollective collective) {
  const std::lock_guard lock(mutex_);
  const OperationInfo info{collective.operation, 0, index_, collective.data.bytes()};
  return submit(
      info, collective_line_,
      [self = shared_from_this(), collective = std::move(collective)](MpiOperation& operation) {
        return self->collectives_.run(operation, collective);
      });
}

Work MpiGroup::send(ConstBuffer data, int peer) {
  check_send(*this, peer);
  const std::lock_guard lock(mutex_);
  const MpiRoute route = routes_[static_cast<std::size_t>(peer)];
  return submit({Operation::kSend, 0, index_, data.bytes(), route.peer}, sends_[peer],
                [self = shared_from_this(), route, data](MpiOperation& operation) {
                  return send_message(operation, *self->engine_, route, data);
                });
}

Work MpiGroup::receive(Buffer data, int peer) {
  check_receive(*this, peer);
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

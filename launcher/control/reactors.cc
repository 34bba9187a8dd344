#include "launcher/control/reactors.h"

namespace phalanx::control {
namespace {

// A slice that shares the string, because a roster goes to thousands of nodes.
grpc::Slice share(const std::shared_ptr<const std::string>& bytes) {
  auto* holder = new std::shared_ptr<const std::string>(bytes);
  return grpc::Slice(
      const_cast<char*>(bytes->data()), bytes->size(),
      [](void* held) { delete static_cast<std::shared_ptr<const std::string>*>(held); }, holder);
}

// A NodeCommand: fields in any order, one after the other, are one message.
grpc::ByteBuffer encode(const std::shared_ptr<const std::string>& kind, std::uint64_t sequence,
                        std::uint64_t acknowledged) {
  protocol::NodeCommand numbers;
  if (sequence != 0) numbers.set_sequence(sequence);
  numbers.set_acknowledged(acknowledged);
  grpc::Slice slices[2] = {grpc::Slice(numbers.SerializeAsString())};
  if (kind == nullptr || kind->empty()) return grpc::ByteBuffer(slices, 1);
  slices[1] = share(kind);
  return grpc::ByteBuffer(slices, 2);
}

}  // namespace

AttachReactor* AttachReactor::create(ServiceHandler& handler, int node) {
  const std::shared_ptr<AttachReactor> reactor(new AttachReactor(handler, node));
  reactor->self_ = reactor;
  handler.attached(node, reactor);
  reactor->StartRead(&reactor->incoming_);
  return reactor.get();
}

void AttachReactor::send(std::shared_ptr<const std::string> kind, std::uint64_t sequence,
                         std::uint64_t acknowledged) {
  put(encode(kind, sequence, acknowledged));
}

void AttachReactor::OnReadDone(bool ok) {
  if (!ok) return close();
  protocol::NodeReport report;
  if (!grpc::SerializationTraits<protocol::NodeReport>::Deserialize(&incoming_, &report).ok())
    return close();
  handler_.said(node_, std::move(report));
  unless_finished([this] { StartRead(&incoming_); });
}

void AttachReactor::OnDone() {
  handler_.detached(node_, self_);
  self_.reset();
}

WatchReactor* WatchReactor::create(ServiceHandler& handler) {
  const std::shared_ptr<WatchReactor> reactor(new WatchReactor(handler));
  reactor->self_ = reactor;
  handler.watch(reactor);
  return reactor.get();
}

void WatchReactor::OnDone() {
  handler_.unwatch(self_);
  self_.reset();
}

}  // namespace phalanx::control

#include "comm/native/communicator.h"

#include <mutex>

#include "comm/group_keys.h"
#include "comm/native/native_group.h"

namespace phalanx::comm {
namespace {

Task await_node(Strand& strand, Engine& engine) {
  const int node =
      engine.membership().peers[static_cast<std::size_t>(engine.membership().rank)].node;
  for (const Peer& peer : engine.membership().peers)
    if (peer.node == node)
      co_await strand.until(
          engine.memory().control(engine.watch().local_index(peer.rank).value()).joined, 1,
          peer.rank);
}

class NativeCommunicator : public Communicator {
 public:
  NativeCommunicator(Membership membership, Listener& listener)
      : engine_(std::make_shared<Engine>(std::move(membership), listener)) {
    engine_->start();
  }
  ~NativeCommunicator() override { engine_->close(); }

  void form() {
    auto forming = std::make_shared<PendingOperation>(
        engine_, OperationInfo{Operation::kBarrier},
        [this](Strand& strand) { return await_node(strand, *engine_); });
    engine_->submit(forming, std::make_shared<OperationQueue>(), Engine::Urgency::kSoon);
    forming->wait();
  }

  std::shared_ptr<Group> make_group(const std::vector<int>& ranks) override {
    const std::lock_guard lock(mutex_);
    return std::make_shared<NativeGroup>(engine_, ranks, groups_++, keys_.next(ranks));
  }

  void abort(int peer, const std::string& reason) override {
    engine_->end({CommError::Kind::kAborted, peer, reason});
  }

 private:
  std::shared_ptr<Engine> engine_;
  std::mutex mutex_;
  int groups_ = 0;
  GroupKeys keys_;
};

}  // namespace

std::unique_ptr<Communicator> make_native_communicator(Membership membership, Listener& listener) {
  auto communicator = std::make_unique<NativeCommunicator>(std::move(membership), listener);
  communicator->form();
  return communicator;
}

}  // namespace phalanx::comm

#include "comm/native/communicator.h"

#include <map>
#include <mutex>

#include "comm/native/native_group.h"

namespace phalanx::comm {
namespace {

// FNV-1a over the members and how many groups of the same members there were before: the same on
// all members, because they make their common groups in the same order. A multiple of 4, and never
// 0: the numbers above it name the group's other channels, and 0 the control connections.
std::uint64_t key_of(const std::vector<int>& ranks, int before) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto mix = [&](int value) {
    hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x100000001b3ull;
  };
  mix(before);
  for (const int rank : ranks) mix(rank);
  return (hash << 2) | std::uint64_t{1} << 63;
}

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
    const std::uint64_t key = key_of(ranks, groups_of_[ranks]++);
    return std::make_shared<NativeGroup>(engine_, ranks, groups_++, key);
  }

  void abort(int peer, const std::string& reason) override {
    engine_->end({CommError::Kind::kAborted, peer, reason});
  }

 private:
  std::shared_ptr<Engine> engine_;
  std::mutex mutex_;
  int groups_ = 0;
  std::map<std::vector<int>, int> groups_of_;  // the same members
};

}  // namespace

std::unique_ptr<Communicator> make_native_communicator(Membership membership, Listener& listener) {
  auto communicator = std::make_unique<NativeCommunicator>(std::move(membership), listener);
  communicator->form();
  return communicator;
}

}  // namespace phalanx::comm

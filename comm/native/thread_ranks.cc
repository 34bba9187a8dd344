#include "comm/native/thread_ranks.h"

#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/memory_file.h"
#include "comm/native/communicator.h"
#include "comm/native/node_memory.h"

namespace phalanx::comm {
namespace {

constexpr auto kHost = "127.0.0.1";

// The ranks that are at work, and the first failure, which ends all of them.
class Ranks {
 public:
  void begin(Communicator& communicator) {
    const std::lock_guard lock(mutex_);
    at_work_.push_back(&communicator);
    if (failure_) communicator.abort(failed_, kAnother);
  }
  void end(Communicator& communicator) {
    const std::lock_guard lock(mutex_);
    std::erase(at_work_, &communicator);
  }
  void fail(int rank, std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = std::move(failure);
    failed_ = rank;
    for (auto* communicator : at_work_) communicator->abort(rank, kAnother);
  }
  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr auto kAnother = "another rank of this process has failed";
  std::mutex mutex_;
  std::vector<Communicator*> at_work_;
  std::exception_ptr failure_;
  int failed_ = -1;
};

std::map<int, FileDescriptor> node_memories(const std::vector<int>& nodes, std::size_t bytes) {
  std::map<int, int> ranks_of_node;
  for (const int node : nodes) ++ranks_of_node[node];
  std::map<int, FileDescriptor> memories;
  for (const auto& [node, ranks] : ranks_of_node)
    memories[node] = create_memory_file("thread-ranks", node_memory_bytes(ranks, bytes));
  return memories;
}

}  // namespace

void on_thread_ranks(const std::vector<int>& nodes, std::size_t bytes, Duration deadline,
                     const std::function<void(int rank, Communicator& communicator)>& body) {
  const auto memories = node_memories(nodes, bytes);
  std::vector<Listener> listeners;
  std::vector<Peer> peers;
  for (std::size_t rank = 0; rank < nodes.size(); ++rank) {
    listeners.emplace_back(kHost);
    peers.push_back({static_cast<int>(rank), nodes[rank], kHost, listeners.back().port()});
  }
  Ranks ranks;
  const auto run = [&](std::size_t rank) {
    Membership own;
    own.generation = 1;
    own.rank = static_cast<int>(rank);
    own.peers = peers;
    own.secret = "of this process";
    own.deadline = deadline;
    own.node_memory = memories.at(nodes[rank]).duplicate();
    const auto communicator = make_native_communicator(std::move(own), listeners[rank]);
    ranks.begin(*communicator);
    try {
      body(static_cast<int>(rank), *communicator);
    } catch (...) {
      ranks.fail(static_cast<int>(rank), std::current_exception());
    }
    ranks.end(*communicator);
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t rank = 0; rank < nodes.size(); ++rank) threads.emplace_back(run, rank);
  }
  ranks.rethrow_failure();
}

}  // namespace phalanx::comm

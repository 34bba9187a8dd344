#include "runtime/local_ranks.h"

#include <ATen/Parallel.h>

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/memory_file.h"
#include "comm/native/communicator.h"
#include "comm/native/node_memory.h"
#include "layout/registered_memory.h"

namespace phalanx::runtime {
namespace {

constexpr auto kDeadline = std::chrono::minutes(10);
constexpr auto kHost = "127.0.0.1";

// The ranks that have joined, and the first failure, which ends all of them.
class Fellowship {
 public:
  void join(comm::Communicator& communicator) {
    const std::lock_guard lock(mutex_);
    members_.push_back(&communicator);
    if (failure_) communicator.abort(-1, "another rank has failed");
  }
  void leave(comm::Communicator& communicator) {
    const std::lock_guard lock(mutex_);
    std::erase(members_, &communicator);
  }
  void fail(std::exception_ptr failure, int rank) {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    failure_ = std::move(failure);
    for (auto* member : members_) member->abort(rank, "another rank has failed");
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::vector<comm::Communicator*> members_;
  std::exception_ptr failure_;
};

struct Membership {
  Fellowship& fellowship;
  comm::Communicator& communicator;
  Membership(Fellowship& f, comm::Communicator& c) : fellowship(f), communicator(c) {
    fellowship.join(communicator);
  }
  ~Membership() { fellowship.leave(communicator); }
};

comm::Membership membership(const config::Job& job, int rank,
                            const std::vector<comm::Listener>& listeners,
                            const std::vector<FileDescriptor>& memories) {
  const auto node_of = [&](int r) { return r / static_cast<int>(job.launch.ranks_per_node); };
  comm::Membership membership;
  membership.generation = 1;
  membership.rank = rank;
  for (std::size_t peer = 0; peer < listeners.size(); ++peer)
    membership.peers.push_back(
        {static_cast<int>(peer), node_of(static_cast<int>(peer)), kHost, listeners[peer].port()});
  membership.secret = "of this process";
  membership.deadline = kDeadline;
  membership.node_memory = memories[static_cast<std::size_t>(node_of(rank))].duplicate();
  return membership;
}

void run_rank(const config::Job& job, int rank, comm::Communicator& communicator,
              const std::function<void(LocalRank&)>& body) {
  at::set_num_threads(static_cast<int>(job.launch.threads_per_rank));
  const TrainingData data(job);
  ModelState state(job, rank);
  state.initialize();
  const auto groups = make_mesh_groups(communicator, state);
  protocol::BlackBox black_box{};
  PhaseClock phases(black_box);
  Stepper stepper(job, state, data, groups, phases);
  LocalRank self{rank, state, groups, stepper};
  body(self);
  groups.world->barrier().wait();
}

}  // namespace

void on_local_ranks(const config::Job& job, const std::function<void(LocalRank&)>& body) {
  const auto bytes = layout::registered_bytes(job);
  std::vector<FileDescriptor> memories;
  for (int node = 0; node < job.launch.emulate_nodes; ++node)
    memories.push_back(create_memory_file(
        "local-ranks",
        comm::node_memory_bytes(static_cast<int>(job.launch.ranks_per_node), bytes)));
  std::vector<comm::Listener> listeners;
  for (int rank = 0; rank < job.ranks(); ++rank) listeners.emplace_back(kHost);
  Fellowship fellowship;
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < job.ranks(); ++rank)
      threads.emplace_back([&, rank] {
        try {
          const auto communicator =
              comm::make_native_communicator(membership(job, rank, listeners, memories),
                                             listeners[static_cast<std::size_t>(rank)]);
          const Membership member(fellowship, *communicator);
          run_rank(job, rank, *communicator, body);
        } catch (...) {
          fellowship.fail(std::current_exception(), rank);
        }
      });
  }
  fellowship.rethrow();
}

}  // namespace phalanx::runtime

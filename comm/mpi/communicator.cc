#include "comm/mpi/communicator.h"

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "base/check.h"
#include "base/error.h"
#include "comm/group_keys.h"
#include "comm/mpi/mpi_group.h"

namespace phalanx::comm {
namespace {

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(Membership membership, bool& clean)
      : engine_(std::make_shared<MpiEngine>(std::move(membership))),
        common_groups_(engine_->membership().peers.size()),
        clean_(clean) {}
  ~MpiCommunicator() override { clean_ = engine_->close(); }

  std::shared_ptr<Group> make_group(const std::vector<int>& ranks) override {
    const std::lock_guard lock(mutex_);
    int own = -1;
    std::vector<MpiRoute> routes;
    for (const int peer : ranks) {
      if (peer == engine_->membership().rank) own = static_cast<int>(routes.size());
      routes.push_back({peer, ++common_groups_.at(static_cast<std::size_t>(peer))});
    }
    check(own >= 0, "a rank makes only groups that it belongs to");
    return std::make_shared<MpiGroup>(engine_, own, routes, groups_++, keys_.next(ranks));
  }

  void abort(int peer, const std::string& reason) override {
    engine_->end({CommError::Kind::kAborted, peer, reason});
  }

 private:
  std::shared_ptr<MpiEngine> engine_;
  std::mutex mutex_;
  int groups_ = 0;
  // By rank, how many groups with it there are: both make theirs in the same order, so the number
  // tells them apart without a word between the two.
  std::vector<int> common_groups_;
  GroupKeys keys_;
  bool& clean_;
};

class MpiEndpoint : public Endpoint {
 public:
  explicit MpiEndpoint(const std::string& host) : host_(host) {
    int threads = 0, rank = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads);
    if (threads < MPI_THREAD_SERIALIZED)
      throw SystemError("MPI: expected threads that take turns (MPI_THREAD_SERIALIZED), found less",
                        "use an MPI that is built with threads, or launch.backend: native");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    rank_ = static_cast<std::uint16_t>(rank);
  }

  const std::string& host() const override { return host_; }
  // Not a port, but what MPI finds this process by.
  std::uint16_t port() const override { return rank_; }

  std::unique_ptr<Communicator> join(Membership membership) override {
    check(clean_, "a process takes part in one generation of the backend mpi");
    clean_ = false;
    return std::make_unique<MpiCommunicator>(std::move(membership), clean_);
  }

  void leave() override {
    if (clean_) MPI_Finalize();
  }

 private:
  std::string host_;
  std::uint16_t rank_ = 0;
  bool clean_ = true;  // nothing is under way in MPI, and nothing has failed
};

}  // namespace

std::unique_ptr<Endpoint> open_mpi(const std::string& host) {
  return std::make_unique<MpiEndpoint>(host);
}

}  // namespace phalanx::comm

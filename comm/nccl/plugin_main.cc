// The plug-in libphalanx-nccl.so: the backend's row, and its endpoint.
#include <array>
#include <mutex>

#include "comm/backend.h"
#include "comm/group_keys.h"
#include "comm/native/listener.h"
#include "comm/nccl/nccl_group.h"
#include "comm/nccl/sharing.h"

namespace phalanx::comm::nccl {
namespace {

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(Membership membership, Listener& listener, int devices)
      : engine_(std::make_shared<Engine>(std::move(membership), listener, devices)) {}
  ~NcclCommunicator() override { engine_->close(); }

  std::shared_ptr<Group> make_group(const std::vector<int>& ranks) override {
    const std::lock_guard lock(mutex_);
    return std::make_shared<NcclGroup>(engine_, ranks, groups_++, keys_.next(ranks));
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

class NcclEndpoint : public Endpoint {
 public:
  explicit NcclEndpoint(const std::string& host) : listener_(host) {
    check_cuda(cudaGetDeviceCount(&devices_), "cudaGetDeviceCount");
    check_nccl(ncclGetVersion(&version_), "ncclGetVersion");
    let_ranks_share();
  }
  const std::string& host() const override { return listener_.host(); }
  std::uint16_t port() const override { return listener_.port(); }
  std::unique_ptr<Communicator> join(Membership membership) override {
    check_sharing(membership.peers, membership.rank, devices_, version_);
    return std::make_unique<NcclCommunicator>(std::move(membership), listener_, devices_);
  }

 private:
  Listener listener_;
  int devices_ = 0;  // of this host
  int version_ = 0;  // of the NCCL that was loaded, which need not be that of its header
};

std::unique_ptr<Endpoint> open_nccl(const std::string& host) {
  return std::make_unique<NcclEndpoint>(host);
}

constexpr std::array kCuda{Device::kCuda};

constexpr Backend kNccl{"nccl",
                        "NVIDIA's NCCL, between GPUs",
                        kCuda,
                        kAllTypes,
                        kAllOperations,
                        Backend::Reforming::kInProcess,
                        Backend::Sums::kAnyOrder,
                        false,
                        Backend::Start::kAlone,
                        open_nccl};

}  // namespace
}  // namespace phalanx::comm::nccl

extern "C" const phalanx::comm::Backend* phalanx_backend() { return &phalanx::comm::nccl::kNccl; }

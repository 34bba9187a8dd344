// The plug-in libphalanx-nccl.so: the backend's row, and its endpoint.
#include <array>
#include <mutex>

#include "comm/backend.h"
#include "comm/group_keys.h"
#include "comm/native/listener.h"
#include "comm/nccl/nccl_group.h"

namespace phalanx::comm::nccl {
namespace {

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(Membership membership, Listener& listener)
      : engine_(std::make_shared<Engine>(std::move(membership), listener)) {}
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
    int devices = 0;
    check_cuda(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
  }
  const std::string& host() const override { return listener_.host(); }
  std::uint16_t port() const override { return listener_.port(); }
  std::unique_ptr<Communicator> join(Membership membership) override {
    return std::make_unique<NcclCommunicator>(std::move(membership), listener_);
  }

 private:
  Listener listener_;
};

std::unique_ptr<Endpoint> open_nccl(const std::string& host) {
  return std::make_unique<NcclEndpoint>(host);
}

constexpr std::array kCuda{Device::kCuda};
constexpr std::array kTypes{ElementType::kFloat32, ElementType::kFloat64, ElementType::kBFloat16,
                            ElementType::kFloat16, ElementType::kInt32,   ElementType::kInt64,
                            ElementType::kUInt8};
constexpr std::array kOperations{
    Operation::kAllReduce, Operation::kReduceScatter, Operation::kAllGather, Operation::kBroadcast,
    Operation::kGather,    Operation::kScatter,       Operation::kAllToAll,  Operation::kSend,
    Operation::kReceive,   Operation::kBarrier};

constexpr Backend kNccl{"nccl",
                        "NVIDIA's NCCL, between GPUs",
                        kCuda,
                        kTypes,
                        kOperations,
                        Backend::Reforming::kInProcess,
                        Backend::Sums::kAnyOrder,
                        false,
                        Backend::Start::kAlone,
                        open_nccl};

}  // namespace
}  // namespace phalanx::comm::nccl

extern "C" const phalanx::comm::Backend* phalanx_backend() { return &phalanx::comm::nccl::kNccl; }

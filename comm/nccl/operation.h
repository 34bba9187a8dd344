#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "comm/nccl/cuda.h"
#include "comm/recorder.h"
#include "comm/work.h"

namespace phalanx::comm::nccl {

class Engine;
struct Channel;

// A started operation, on its way through a channel.
class PendingOperation : public Work::State {
 public:
  // Hands the operation to NCCL: asks for it to run on the stream, and returns at once.
  using Launch = std::function<ncclResult_t(ncclComm_t, cudaStream_t)>;
  enum class Stage { kQueued, kLaunching, kLaunched, kFinished, kFailed };

  PendingOperation(std::shared_ptr<Engine> engine, std::shared_ptr<Channel> channel,
                   const OperationInfo& info, Launch launch);
  void wait() override;
  void wait_on(DeviceStream stream) override;
  bool done() const override;

 private:
  friend class Engine;
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Channel> channel_;
  OperationInfo info_;
  Launch launch_;  // empty: nothing to move
  Event ready_;    // the data is there
  Event over_;     // the result is
  Recorder::Ticket record_;
  TimePoint deadline_ = TimePoint::max();  // set when it has begun to wait for its peers
  std::atomic<Stage> stage_{Stage::kQueued};
};

}  // namespace phalanx::comm::nccl

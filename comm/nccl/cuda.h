#pragma once

#include <cuda_runtime.h>
#include <nccl.h>

#include "comm/buffer.h"
#include "comm/group.h"

namespace phalanx::comm::nccl {

// Throw SystemError, naming the call and what the library says of it.
void check_cuda(cudaError_t result, const char* call);
// ncclInProgress is no failure: a communicator that does not block goes on by itself.
void check_nccl(ncclResult_t result, const char* call);

ncclDataType_t nccl_type(ElementType type);
ncclRedOp_t nccl_reduction(Reduction reduction);

// Makes `device` the calling thread's, and leaves it so: going back to device 0 would make a
// context there, which costs memory on a device that is another rank's.
void use_device(int device);

// A stream that the default stream does not wait for, before all others on the device.
class CommunicationStream {
 public:
  CommunicationStream();
  CommunicationStream(const CommunicationStream&) = delete;
  ~CommunicationStream();
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// A point in a stream. An event that was never recorded counts as reached.
class Event {
 public:
  Event();
  Event(const Event&) = delete;
  ~Event();
  void record(cudaStream_t stream);
  // What is put on `stream` from now on waits for it.
  void hold(cudaStream_t stream) const;
  bool reached() const;  // throws SystemError when the device has failed

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace phalanx::comm::nccl

#include "comm/nccl/cuda.h"

#include <fmt/format.h>

#include "base/error.h"

namespace phalanx::comm::nccl {

void check_cuda(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  throw SystemError(fmt::format("CUDA: {}: {}", call, cudaGetErrorString(result)),
                    "see `nvidia-smi` for the device's state, memory and driver");
}

void check_nccl(ncclResult_t result, const char* call) {
  if (result == ncclSuccess || result == ncclInProgress) return;
  throw SystemError(
      fmt::format("NCCL: {}: {}: {}", call, ncclGetErrorString(result), ncclGetLastError(nullptr)),
      "NCCL_DEBUG=WARN tells more");
}

ncclDataType_t nccl_type(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return ncclFloat32;
    case ElementType::kFloat64:
      return ncclFloat64;
    case ElementType::kBFloat16:
      return ncclBfloat16;
    case ElementType::kFloat16:
      return ncclFloat16;
    case ElementType::kInt32:
      return ncclInt32;
    case ElementType::kInt64:
      return ncclInt64;
    case ElementType::kUInt8:
      return ncclUint8;
  }
  return ncclNumTypes;
}

ncclRedOp_t nccl_reduction(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return ncclSum;
    case Reduction::kMax:
      return ncclMax;
    case Reduction::kMin:
      return ncclMin;
  }
  return ncclNumOps;
}

void use_device(int device) {
  int current = -1;
  check_cuda(cudaGetDevice(&current), "cudaGetDevice");
  if (current != device) check_cuda(cudaSetDevice(device), "cudaSetDevice");
}

CommunicationStream::CommunicationStream() {
  int least = 0, greatest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest),
             "cudaDeviceGetStreamPriorityRange");
  check_cuda(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest),
             "cudaStreamCreateWithPriority");
}
CommunicationStream::~CommunicationStream() { cudaStreamDestroy(stream_); }

Event::Event() {
  check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
}
Event::~Event() { cudaEventDestroy(event_); }

void Event::record(cudaStream_t stream) {
  check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord");
}

void Event::hold(cudaStream_t stream) const {
  check_cuda(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
}

bool Event::reached() const {
  const cudaError_t result = cudaEventQuery(event_);
  if (result == cudaErrorNotReady) {
    (void)cudaGetLastError();  // or the thread's next look at the last error would find it
    return false;
  }
  check_cuda(result, "cudaEventQuery");
  return true;
}

}  // namespace phalanx::comm::nccl

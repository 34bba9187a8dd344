#include "kernels/cuda/failure.h"

#include <fmt/format.h>

#include "base/error.h"

namespace phalanx::kernels::cuda {

void check_cuda(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  throw SystemError(fmt::format("CUDA: {}: {}", call, cudaGetErrorString(result)),
                    "see `nvidia-smi` for the device's state, memory and driver");
}

std::int64_t largest_shared_memory() {
  int device = 0, bytes = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  check_cuda(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
             "cudaDeviceGetAttribute");
  return bytes;
}

}  // namespace phalanx::kernels::cuda

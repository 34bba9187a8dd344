// The device's memory for ranks of the tests, as a library of its own: comm_rank links no CUDA.
#include <cuda_runtime.h>
#include <nccl.h>

#include "device/device_memory.h"

namespace phalanx::comm {
namespace {

class CudaMemory : public DeviceMemory {
 public:
  std::string missing(int ranks) override {
    int found = 0, version = 0;
    const cudaError_t result = cudaGetDeviceCount(&found);
    if (result != cudaSuccess) return std::string("no GPU: ") + cudaGetErrorString(result);
    if (found >= ranks) return {};
    if (ncclGetVersion(&version) == ncclSuccess && version >= NCCL_VERSION(2, 30, 0)) return {};
    return "expected as many GPUs as ranks, " + std::to_string(ranks) +
           ", or NCCL 2.30, which lets ranks share them; found " + std::to_string(found) +
           " and NCCL " + std::to_string(version);
  }
  void use_in_turn(int slot) override {
    int devices = 0;
    ok_ &=
        cudaGetDeviceCount(&devices) == cudaSuccess && cudaSetDevice(slot % devices) == cudaSuccess;
  }
  void* allocate(std::size_t bytes) override {
    void* memory = nullptr;
    ok_ &= cudaMalloc(&memory, bytes) == cudaSuccess;
    return memory;
  }
  void* allocate_shared(std::size_t bytes) override {
    void* memory = nullptr;
    ok_ &= cudaMallocHost(&memory, bytes) == cudaSuccess;
    return memory;
  }
  void free_shared(void* memory) override { cudaFreeHost(memory); }
  void free(void* memory) override { cudaFree(memory); }
  void copy(void* to, const void* from, std::size_t bytes) override {
    ok_ &= cudaMemcpy(to, from, bytes, cudaMemcpyDefault) == cudaSuccess;
  }
  bool ok() const override { return ok_; }

 private:
  bool ok_ = true;
};

}  // namespace
}  // namespace phalanx::comm

extern "C" phalanx::comm::DeviceMemory* device_memory() {
  static phalanx::comm::CudaMemory memory;
  return &memory;
}

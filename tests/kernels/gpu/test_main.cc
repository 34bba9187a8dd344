// The tests of the kernels once more, with the plug-in's kernels in the CPU's place, on a GPU.
// Tensors are the CPU's in managed memory, which both reach; CUDA_LAUNCH_BLOCKING=1 lets every
// kernel end before the host reads. Run by hand, it sets that itself.
#include <c10/core/CPUAllocator.h>
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "kernels/plugin.h"

namespace {

class ManagedMemory : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* data = nullptr;
    if (bytes > 0 && cudaMallocManaged(&data, bytes) != cudaSuccess)
      throw std::runtime_error("cudaMallocManaged failed");
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static void release(void* data) { cudaFree(data); }
};

}  // namespace

int main(int argc, char** argv) {
  using namespace phalanx::kernels;
  testing::InitGoogleTest(&argc, argv);
  setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
  const DeviceRow& row = load_plugin(PLUGIN);  // loads on every machine
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no GPU: the kernels of CUDA were loaded, not run");
    return 0;
  }
  static ManagedMemory memory;
  c10::SetCPUAllocator(&memory, 255);
  register_row(c10::DeviceType::CPU, row);
  return RUN_ALL_TESTS();
}

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

// As much of CUDA as the kernels of kernels/cuda use, for a host without a GPU: the same sources,
// compiled as C++. The threads of a block are fibres of one host thread, which change places only
// where they wait for each other; blocks run one after another. This proves arithmetic, indices and
// barriers, not speed, and nothing of the hardware's memory model.

#define __global__
#define __device__
#define __host__
#define __shared__ thread_local  // one block runs at a time

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Of the fibre that runs.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

enum class Order { kForward, kBackward };
// In which order threads and blocks run from now on: a kernel that lacks a barrier, or whose sums
// depend on who comes first, gives different bits.
void set_order(Order order);

enum class Barrier { kBlock, kWarp };
// Until all threads of the block or warp that have not ended are here. Ends the process, naming the
// kernel's block, where some can never come.
void wait(Barrier barrier);

// The 8 bytes that each lane of the running thread's warp shows to the others.
std::uint64_t& slot(unsigned lane);

void run_grid(dim3 grid, dim3 block, std::size_t shared, const std::function<void()>& kernel);

template <class T>
T exchanged(T value, unsigned lane) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::memcpy(&slot(threadIdx.x % 32), &value, sizeof value);
  wait(Barrier::kWarp);
  T other;
  std::memcpy(&other, &slot(lane), sizeof other);
  wait(Barrier::kWarp);
  return other;
}

}  // namespace emulator

inline void __syncthreads() { emulator::wait(emulator::Barrier::kBlock); }
inline void __syncwarp() { emulator::wait(emulator::Barrier::kWarp); }
template <class T>
T __shfl_xor_sync(unsigned, T value, int lanes) {
  return emulator::exchanged(value, threadIdx.x % 32 ^ static_cast<unsigned>(lanes));
}
inline unsigned __ballot_sync(unsigned, bool flag) {
  emulator::slot(threadIdx.x % 32) = flag;
  emulator::wait(emulator::Barrier::kWarp);
  unsigned flags = 0;
  for (unsigned lane = 0; lane < 32; ++lane) flags |= (emulator::slot(lane) != 0) << lane;
  emulator::wait(emulator::Barrier::kWarp);
  return flags;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
[[noreturn]] void __trap();

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess };
inline const char* cudaGetErrorString(cudaError_t) { return "an error of the emulator"; }
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin };
inline cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
// The least that the architectures we build for have: sm_80's.
constexpr int kSharedMemoryOfBlock = 163 << 10;
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  return *value = kSharedMemoryOfBlock, cudaSuccess;
}
inline cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t) {
  return *memory = ::operator new(bytes), cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* memory, cudaStream_t) {
  return ::operator delete(memory), cudaSuccess;
}

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
};
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  emulator::run_grid(config->gridDim, config->blockDim, config->dynamicSmemBytes,
                     [&] { kernel(arguments...); });
  return cudaSuccess;
}

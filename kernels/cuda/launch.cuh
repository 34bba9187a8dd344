#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/failure.h"
#include "kernels/operations/element.h"

// How kernels are started: on the default stream, the host does not wait.
namespace phalanx::kernels::cuda {

constexpr unsigned kThreads = 256;

// Nothing for no block. `shared`: bytes of dynamic shared memory.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), std::int64_t blocks, unsigned threads,
            std::int64_t shared, Arguments... arguments) {
  if (blocks == 0) return;
  constexpr std::int64_t kWithoutAsking = 48 << 10;
  if (shared > kWithoutAsking)
    check_cuda(
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
        "cudaFuncSetAttribute");
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = static_cast<std::size_t>(shared);
  check_cuda(cudaLaunchKernelEx(&config, kernel, arguments...), "cudaLaunchKernelEx");
}

template <class Body>
__global__ void each(std::int64_t count, Body body) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) body(i);
}
// body(i) in a thread of its own for each i below `count`.
template <class Body>
void for_each(std::int64_t count, const Body& body) {
  launch(each<Body>, (count + kThreads - 1) / kThreads, kThreads, 0, count, body);
}

template <class Body>
__global__ void each_element(std::int64_t width, unsigned blocks_of_row, Body body) {
  const std::int64_t row = blockIdx.x / blocks_of_row;
  const std::int64_t i = std::int64_t{blockIdx.x % blocks_of_row} * blockDim.x + threadIdx.x;
  if (i < width) body(row, i);
}
// body(row, i) in a thread of its own for each element of the rows.
template <class Body>
void for_each_element(Rows rows, const Body& body) {
  const std::int64_t blocks_of_row = (rows.width + kThreads - 1) / kThreads;
  launch(each_element<Body>, rows.count * blocks_of_row, kThreads, 0, rows.width,
         static_cast<unsigned>(blocks_of_row), body);
}

template <class Body>
__global__ void each_block(Body body) {
  body(std::int64_t{blockIdx.x});
}
// body(i) in all threads of a block of its own for each i below `count`.
template <class Body>
void for_each_block(std::int64_t count, const Body& body) {
  launch(each_block<Body>, count, kThreads, 0, body);
}

}  // namespace phalanx::kernels::cuda

// The functions of CUDA's row that `run` is written for, each a template over the element type.
#define PHALANX_CUDA_PERFORMS(Operation, T)           \
  template <>                                         \
  void perform<Cuda>(const Operation<T>& operation) { \
    cuda::run(operation);                             \
  }
#define PHALANX_CUDA_PERFORMS_SUMS(Operation) \
  PHALANX_CUDA_PERFORMS(Operation, float)     \
  PHALANX_CUDA_PERFORMS(Operation, double)
#define PHALANX_CUDA_PERFORMS_ACTIVATIONS(Operation) \
  PHALANX_CUDA_PERFORMS_SUMS(Operation)              \
  PHALANX_CUDA_PERFORMS(Operation, Bf16)

#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// What CUDA's host functions say.
namespace phalanx::kernels::cuda {

// Throws SystemError, naming what was asked for and what CUDA says.
void check_cuda(cudaError_t result, const char* call);

// Bytes of shared memory that a block may ask for on the current device.
std::int64_t largest_shared_memory();

}  // namespace phalanx::kernels::cuda

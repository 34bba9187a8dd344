#pragma once

#include <c10/core/Device.h>

#include <string>

#include "base/error.h"

namespace phalanx::runtime {

// The device that a job asks for is not here, or cannot be used.
class DeviceError : public Error {
 public:
  using Error::Error;
};

// What `launch.device` is for the worker in slot `slot` of its node: the CPU, or one of the node's
// GPUs in turn, which becomes the calling thread's. What a GPU needs (LibTorch's part for CUDA, our
// kernels beside this program) is loaded now: never before a fork, and never where it is not used.
// Throws DeviceError.
at::Device open_device(const std::string& name, int slot);

}  // namespace phalanx::runtime

#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::parallel {

// A copy of what the host has made, or where the device is the host the same. The host does not
// wait: through pinned memory, which the device's allocator keeps until the copy is done.
inline at::Tensor to_device(const at::Tensor& host, at::Device device) {
  if (device.is_cpu()) return host;
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace phalanx::parallel

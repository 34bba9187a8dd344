#pragma once

#include <c10/core/Device.h>

// A device made of host memory, so that what runs on a GPU runs where there is none, gives the
// CPU's bits, and every mixing of the host's and the device's memory ends the test:
//   - the host dies by SIGSEGV where it touches the memory of a tensor on the device;
//   - operators of ATen, kernels and collectives refuse the host's memory;
//   - host_waits.h counts how often a thread has waited for the device, or would have for a GPU.
// Memory that nobody has written is not-a-number. All that the device is asked for has been done
// when the call returns, so nothing is proven of the order of streams.
namespace phalanx::pretend {

constexpr c10::DeviceType kPretend = c10::DeviceType::PrivateUse1;
inline const c10::Device kDevice{kPretend, 0};

// Gives this process the device: tensors' memory and operators, kernels::row_of(kPretend), the
// guard of devices, pinned memory. Idempotent. After all forks: children would share its memory.
void install_pretend_device();

}  // namespace phalanx::pretend

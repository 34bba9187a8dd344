#pragma once

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace phalanx::pretend {

// One device with one stream, on which everything has been done already. The caller keeps both for
// the rest of the process.
const c10::impl::DeviceGuardImplInterface& device_guard();

// What else ATen asks a device: whose an address is, and for pinned memory.
at::PrivateUse1HooksInterface& device_hooks();

}  // namespace phalanx::pretend

#pragma once

#include <c10/core/Allocator.h>

namespace phalanx::pretend {

// For tensors on the device; none of 0 bytes has memory.
c10::Allocator& device_allocator();

// Host memory that copies to and from the device need not wait for. Only known as such to
// is_pinned: it is as other memory of the host.
c10::Allocator& pinned_allocator();
bool is_pinned(const void* data);

}  // namespace phalanx::pretend

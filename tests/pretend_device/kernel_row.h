#pragma once

#include "kernels/device.h"

namespace phalanx::pretend {

// The CPU's kernels on the aliases of the device's memory. An operation that holds an address of
// the host stops the process.
const kernels::DeviceRow& kernel_row();

}  // namespace phalanx::pretend

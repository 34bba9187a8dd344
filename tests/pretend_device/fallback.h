#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace phalanx::pretend {

// Every other operator of ATen: the CPU's, on the aliases of the device's memory. Written arguments
// stay the device's tensors, new results become such. Throws c10::Error that names the operator
// where an argument is a tensor of the host (but a scalar), or the result would be a view.
void perform_as_cpu(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                    torch::jit::Stack* stack);

}  // namespace phalanx::pretend

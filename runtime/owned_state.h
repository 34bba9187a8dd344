#pragma once

#include <vector>

#include "checkpoint/state_view.h"
#include "runtime/model_state.h"

namespace phalanx::runtime {

// Of each bucket of a state the slice that is its rank's alone, as a checkpoint writes it, and what
// that lies in: the state itself, or a device's copied to the host.
struct OwnedState {
  std::vector<checkpoint::StateView> views;
  std::vector<at::Tensor> tensors;
};
OwnedState owned_state(const ModelState& state);

}  // namespace phalanx::runtime

#pragma once

#include "launcher/control/control.pb.h"
#include "launcher/control/state.h"

namespace phalanx::control {

// The state as `phalanx status` shows it.
Status describe(const State& state);

}  // namespace phalanx::control

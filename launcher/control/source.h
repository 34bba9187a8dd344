#pragma once

#include <cstdint>
#include <string>

#include "launcher/control/state.h"

namespace phalanx::control {

// The state that a generation begins from.
struct Source {
  protocol::Roster::Source kind = protocol::Roster::START;
  std::int64_t step = 0;
  int rank = kNobody;              // REPLICA: the lowest that holds it
  std::string directory;           // CHECKPOINT
  protocol::StepReport last_step;  // REPLICA: that step's, as a holder knows it

  std::string name() const;  // replica, checkpoint, start
};

// The settle rule, when every worker is a candidate: the newest step of which they hold the whole
// state among them, because a step that one rank completed was fully reduced and belongs to all;
// else the newest complete checkpoint that is not passed over; else the beginning.
Source choose_source(const State& state);

}  // namespace phalanx::control

#pragma once

#include <string>

#include "launcher/control/decision.h"

namespace phalanx::control {

// Why a generation cannot go on.
struct Death {
  int rank = kNobody;      // whose fault it is
  std::string how;         // "died: signal 9 (Killed)"
  std::string cause;       // what several have in common; empty: `how`
  bool any_rank = false;   // the same cause on another rank is the same trouble
  bool hang = false;       // a deadline passed
  std::string last_lines;  // of its log
  double age_seconds = 0;  // since the first sign of it
};

// Ends the current generation everywhere, and begins to form the next.
void break_generation(Decision& decision, const Death& death);

// One more death that belongs to the generation that has just been broken.
void add_to_round(State& state, const Death& death);

}  // namespace phalanx::control

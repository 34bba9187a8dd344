#pragma once

#include <optional>

#include "launcher/control/breaking.h"

namespace phalanx::control {

// So often may the same trouble come back at the same step.
constexpr int kRounds = 3;

// When the last kRounds generations broke at the same step, for the same rank or the same cause:
// the end of the job, exit code 10, or 11 when none of them died by itself. Call it when the step
// that counts is known.
std::optional<Verdict> verdict_on_rounds(State& state);

// A worker that ends again and again before it could join a generation.
Verdict verdict_on_start(const State& state, const Death& death);

}  // namespace phalanx::control

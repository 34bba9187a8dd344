#pragma once

#include <string>

#include "layout/schedule.h"
#include "layout/schedule_simulator.h"

namespace phalanx::layout {

// A simulated schedule as an SVG file: a row a rank, its passes as bars with their micro-batch's
// number (later chunks in lighter colours), gathers and reduces above them, the activations that
// the rank holds below them; a scale of time and a legend. Every bar tells what it is when pointed
// at. Self-contained, and the same bytes for the same schedule everywhere.
std::string draw_schedule(const Schedule& schedule, const Timeline& timeline);

}  // namespace phalanx::layout

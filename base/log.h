#pragma once

#include <spdlog/spdlog.h>

namespace phalanx::log {

// Diagnostics of a process, to its standard error (a daemon's goes into the run's logs). What a
// user must see is an event or an error message instead.
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

}  // namespace phalanx::log

#pragma once

#include <filesystem>
#include <functional>

#include "launcher/control/client.h"

namespace phalanx::launcher {

// Calls `ask` with a client of the run's controller, again while one that was killed is being
// started. False when the run is over. Throws LaunchError.
bool ask_controller(const std::filesystem::path& run,
                    const std::function<void(control::Client&)>& ask);

}  // namespace phalanx::launcher

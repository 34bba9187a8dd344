#pragma once

#include <span>
#include <string>
#include <vector>

#include "launcher/cli/subcommand.h"

namespace phalanx::launcher {

// Runs the command that `arguments` (without the program's name) begin with, or prints the help
// that they ask for. Returns the exit code. Throws RefusedError for a command line that is none,
// and what the command throws.
int run_command_line(std::span<const Subcommand> commands, std::vector<std::string> arguments);

}  // namespace phalanx::launcher

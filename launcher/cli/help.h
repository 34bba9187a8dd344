#pragma once

#include <span>
#include <string>

#include "launcher/cli/subcommand.h"

namespace phalanx::launcher {

// `phalanx --help`, or `phalanx ckpt --help` with only those: commands by group, a line each.
std::string overview(std::span<const Subcommand> commands);

// `phalanx COMMAND --help`: usage, arguments, options with their defaults, exit codes, examples.
std::string help(const Subcommand& command);

}  // namespace phalanx::launcher

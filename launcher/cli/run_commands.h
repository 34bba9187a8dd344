#pragma once

#include <CLI/CLI.hpp>

namespace phalanx::launcher {

// Commands about runs and their results: status, cancel, generate, version.
void add_run_commands(CLI::App& root, int& exit_code);

}  // namespace phalanx::launcher

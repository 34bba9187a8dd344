#pragma once

#include <CLI/CLI.hpp>

namespace phalanx::launcher {

// Adds `data prepare`, `data inspect` and `data baseline` to the command line. Each runs when it is
// parsed, prints its result on stdout (one JSON object with --json), and throws DataError or
// StorageError.
void add_data_commands(CLI::App& root);

}  // namespace phalanx::launcher

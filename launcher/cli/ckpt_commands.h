#pragma once

#include <CLI/CLI.hpp>

namespace phalanx::launcher {

// Adds `ckpt ls`, `ckpt inspect` and `ckpt verify` to the command line. Each prints its result to
// standard output. They throw checkpoint::CheckpointError, checkpoint::DamagedError (`verify` found
// damage, after it has printed all of it) and StorageError.
void add_ckpt_commands(CLI::App& root);

}  // namespace phalanx::launcher

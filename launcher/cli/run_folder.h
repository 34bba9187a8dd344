#pragma once

#include <filesystem>
#include <string>

namespace phalanx::launcher {

// The run that a command means: the folder `given`, or where nothing is given the newest one with a
// run under runs/. Throws RefusedError when that is none.
std::filesystem::path find_run(const std::string& given);

// The checkpoint that a command means: the folder `given`, or the newest complete one of the run
// that it means otherwise. Throws RefusedError when there is neither, CheckpointError when the run
// has no complete one.
std::filesystem::path find_checkpoint(const std::string& given);

}  // namespace phalanx::launcher

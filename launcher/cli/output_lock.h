#pragma once

#include <filesystem>

#include "base/file_descriptor.h"

namespace phalanx::launcher {

// Makes an output ours: one run at a time. The lock is held by every process that inherits the
// descriptor, so that a run whose first process was killed stays locked until its last has gone.
// Makes the folder if need be. Throws RefusedError when another run holds it (after waiting a few
// seconds for one that is ending), StorageError.
FileDescriptor lock_output(const std::filesystem::path& output);

// Makes nothing. Throws StorageError when this user may not write to the output, or may not make
// it.
void require_writable(const std::filesystem::path& output);

// Whether a process of a run on this output lives. Throws StorageError.
bool is_locked(const std::filesystem::path& output);

}  // namespace phalanx::launcher

#pragma once

#include <filesystem>

#include "checkpoint/manifest.h"

namespace phalanx::checkpoint {

// Makes the partial checkpoint in `partial` (partial_path of the manifest's step, attempt and
// generation) complete: proves that its shards hold everything once and that their files are there,
// writes the manifest, makes all of it durable, and renames the folder. Returns the complete
// checkpoint's path.
// May be repeated: a commit that was done is done. A complete checkpoint of the same step and
// attempt, by an earlier generation, is replaced at once: what both hold is equal, unless that one
// has been damaged since.
// Throws CheckpointError when the manifest is refused, StorageError when the disk fails.
std::filesystem::path commit(const std::filesystem::path& partial, const Manifest& manifest);

}  // namespace phalanx::checkpoint

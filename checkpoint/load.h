#pragma once

#include <filesystem>
#include <span>

#include "checkpoint/manifest.h"
#include "checkpoint/state_view.h"

namespace phalanx::checkpoint {

// Fills every view from the checkpoint in `directory`, whatever division it was saved under, and
// checks the checksum of each stored region it reads from. Only files that hold some of it are
// opened. Throws DamagedError (file, region, checksum expected and found), CheckpointError when the
// checkpoint does not hold what is wanted, StorageError; the views' content is unspecified then.
void load(const std::filesystem::path& directory, const Manifest& manifest,
          std::span<const MutableStateView> wanted);

}  // namespace phalanx::checkpoint

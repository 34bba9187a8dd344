#pragma once

#include <string>
#include <string_view>

#include "checkpoint/manifest.h"

namespace phalanx::checkpoint {

// A manifest as the content of `manifest.pb`, with its own checksum.
std::string encode(const Manifest& manifest);

// The way back. `name` is the file's, for messages. Throws DamagedError when the content is not as
// written, CheckpointError when its format is newer than this program's.
Manifest decode_manifest(std::string_view content, const std::string& name);

}  // namespace phalanx::checkpoint

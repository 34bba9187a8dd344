#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace phalanx::checkpoint {

// One thing that is not as it was written. `part` is a region ("parameter norm.weight [0:64]"),
// "structure" (the bytes between regions), or "file"; expected and found are checksums or
// sentences.
struct Damage {
  std::string file;
  std::string part;
  std::string expected;
  std::string found;
};

// Reads every byte of a shard. A file that cannot be read is damage too.
std::vector<Damage> verify_shard(const std::filesystem::path& directory, const ShardInfo& shard);

// All shards, `threads` (at least 1) at a time; damage in the order of the manifest.
std::vector<Damage> verify(const std::filesystem::path& directory, const Manifest& manifest,
                           int threads);

}  // namespace phalanx::checkpoint

#include "checkpoint/manifest.h"

#include "base/file.h"
#include "checkpoint/codec.h"
#include "checkpoint/error.h"

namespace phalanx::checkpoint {
namespace {
constexpr const char* kManifestFile = "manifest.pb";
}

std::uint64_t Manifest::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards) sum += shard.bytes;
  return sum;
}

Manifest read_manifest(const std::filesystem::path& directory) {
  const auto path = directory / kManifestFile;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    throw CheckpointError(
        directory.string() + ": is no complete checkpoint: it has no " + kManifestFile,
        "`phalanx ckpt ls` lists those that are complete");
  return decode_manifest(read_file(path), path.string());
}

void write_manifest(const std::filesystem::path& directory, const Manifest& manifest) {
  write_file_atomically(directory / kManifestFile, encode(manifest));
}

}  // namespace phalanx::checkpoint

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/shard.h"
#include "checkpoint/state_view.h"

namespace phalanx::checkpoint {

constexpr std::uint32_t kFormatVersion = 1;

// Everything a checkpoint says about itself: the job's state beside the tensors, and where each
// region of each tensor lies. Knows nothing of the layout that saved it.
struct Manifest {
  std::int64_t step = 0;
  std::int64_t attempt = 0;
  std::uint64_t generation = 0;  // that saved it
  std::string phalanx_version;
  std::int64_t cursor = 0;          // samples consumed
  std::int64_t optimizer_step = 0;  // updates done, for Adam's bias correction
  std::int64_t tokens = 0;          // seen in training
  std::string job_yaml;             // the resolved job
  std::vector<GlobalTensor> tensors;
  std::vector<std::string> kinds;  // of state; each covers every tensor
  std::vector<ShardInfo> shards;

  std::uint64_t bytes() const;  // of all shards
  bool operator==(const Manifest&) const = default;
};

// The manifest of the checkpoint in `directory`. Throws CheckpointError when there is none,
// DamagedError when it is not as written, StorageError when it cannot be read.
Manifest read_manifest(const std::filesystem::path& directory);

// Writes it whole or not at all, durably. Throws StorageError.
void write_manifest(const std::filesystem::path& directory, const Manifest& manifest);

}  // namespace phalanx::checkpoint

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace phalanx::checkpoint {

// OUTPUT/checkpoints/step-00000050-attempt-1 is complete; ....partial-gG is being written by
// generation G; ....deleting is on its way out.
struct CheckpointId {
  std::int64_t step = 0;
  std::int64_t attempt = 0;
  bool operator==(const CheckpointId&) const = default;
};
std::filesystem::path complete_path(const std::filesystem::path& output, CheckpointId id);
std::filesystem::path partial_path(const std::filesystem::path& output, CheckpointId id,
                                   std::uint64_t generation);

struct CheckpointEntry {
  enum class State { kComplete, kPartial, kDeleting };
  std::filesystem::path path;
  CheckpointId id;
  State state = State::kComplete;
  std::uint64_t generation = 0;  // of a partial one
};

// What a folder's name says; empty when it is no checkpoint's.
std::optional<CheckpointEntry> parse_checkpoint_name(const std::filesystem::path& path);

// The checkpoints of an output, newest first: a later attempt is newer at any step, because it may
// have gone back on purpose. An output without checkpoints has an empty list. Throws StorageError.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& output);

// The quick test of a complete checkpoint: its manifest is as written and every shard file is there
// with its size. Returns the manifest; throws DamagedError, CheckpointError or StorageError.
Manifest read_checked(const std::filesystem::path& directory);

struct LoadableCheckpoint {
  std::filesystem::path path;
  Manifest manifest;
};
// The first of `entries` (newest first) that passes the quick test. Each before it, which does not,
// is named to `skipped`, with the reason. Empty when there is none.
std::optional<LoadableCheckpoint> newest_loadable(
    const std::vector<CheckpointEntry>& entries,
    const std::function<void(const CheckpointEntry&, const std::string& reason)>& skipped);

// Who is saving now; what older ones left behind can never become complete.
struct Saver {
  std::int64_t attempt = 0;
  std::uint64_t generation = 0;
};
// Removes what is not needed any more: all complete checkpoints older than the `keep` (at least 1)
// newest loadable ones, partial ones of earlier attempts and generations or older than the newest
// complete one, and what an interrupted removal left. Never a checkpoint that is newer than the
// oldest kept. Safe against a crash at any point: what is removed is renamed first. Returns what it
// removed. Throws StorageError.
std::vector<std::filesystem::path> prune(const std::filesystem::path& output, std::int64_t keep,
                                         Saver now);

// Renames the folder out of the way and removes it. Throws StorageError.
void remove_checkpoint(const std::filesystem::path& directory);

}  // namespace phalanx::checkpoint

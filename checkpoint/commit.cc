#include "checkpoint/commit.h"

#include <fmt/format.h>

#include <set>

#include "base/file.h"
#include "checkpoint/coverage.h"
#include "checkpoint/directory.h"
#include "checkpoint/error.h"

namespace phalanx::checkpoint {
namespace {

namespace fs = std::filesystem;

bool is_loadable(const fs::path& directory) {
  try {
    read_checked(directory);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void refuse_holes(const fs::path& partial, const Manifest& manifest) {
  const auto problem = coverage_problem(manifest.tensors, manifest.kinds, manifest.shards);
  if (!problem.empty())
    throw CheckpointError(partial.string() + ": cannot be completed: " + problem);
}

void check_name(const fs::path& partial, const Manifest& manifest) {
  const auto expected =
      partial_path("", {manifest.step, manifest.attempt}, manifest.generation).filename();
  if (partial.filename() != expected)
    throw CheckpointError(fmt::format("{}: expected the folder of its manifest, {}",
                                      partial.string(), expected.string()));
}

// Folders hold the names of files; a file's own fsync does not keep them.
void sync_shard_folders(const fs::path& partial, const Manifest& manifest) {
  std::set<fs::path> folders;
  for (const auto& shard : manifest.shards) {
    const fs::path file(shard.file);
    for (auto folder = file.parent_path(); !folder.empty(); folder = folder.parent_path())
      folders.insert(folder);
  }
  for (const auto& folder : folders) sync_folder(partial / folder);
}

}  // namespace

fs::path commit(const fs::path& partial, const Manifest& manifest) {
  check_name(partial, manifest);
  const fs::path complete =
      partial.parent_path() / complete_path("", {manifest.step, manifest.attempt}).filename();
  std::error_code error;
  if (fs::exists(complete, error)) {
    if (is_loadable(complete)) {
      if (fs::exists(partial, error)) remove_checkpoint(partial);
      return complete;
    }
    remove_checkpoint(complete);
  }
  refuse_holes(partial, manifest);
  sync_shard_folders(partial, manifest);
  write_manifest(partial, manifest);
  read_checked(partial);
  fs::rename(partial, complete, error);
  if (error)
    throw storage_error(
        fmt::format("{}: rename to {}", partial.string(), complete.filename().string()),
        error.value());
  sync_folder(complete.parent_path());
  return complete;
}

}  // namespace phalanx::checkpoint

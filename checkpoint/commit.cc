#include "checkpoint/commit.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <set>

#include "base/file.h"
#include "checkpoint/coverage.h"
#include "checkpoint/directory.h"
#include "checkpoint/error.h"

namespace phalanx::checkpoint {
namespace {

namespace fs = std::filesystem;

bool was_committed(const fs::path& complete, const Manifest& manifest) {
  try {
    return read_manifest(complete).generation == manifest.generation;
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

// Renames; what `complete` names before is `partial` afterwards.
void put_in_place(const fs::path& partial, const fs::path& complete, bool exchange) {
  const auto rename = [&](unsigned flags) {
    return ::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, complete.c_str(), flags) == 0;
  };
  if (rename(exchange ? RENAME_EXCHANGE : 0)) return;
  if (exchange && errno == EINVAL) {  // the file system cannot exchange
    remove_checkpoint(complete);
    if (rename(0)) return;
  }
  throw storage_error(
      fmt::format("{}: rename to {}", partial.string(), complete.filename().string()));
}

}  // namespace

fs::path commit(const fs::path& partial, const Manifest& manifest) {
  check_name(partial, manifest);
  fs::path complete =
      partial.parent_path() / complete_path("", {manifest.step, manifest.attempt}).filename();
  std::error_code ignored;
  if (was_committed(complete, manifest)) {
    if (fs::exists(partial, ignored)) remove_checkpoint(partial);
    return complete;
  }
  refuse_holes(partial, manifest);
  sync_shard_folders(partial, manifest);
  write_manifest(partial, manifest);
  read_checked(partial);
  const bool replaces = fs::exists(complete, ignored);
  put_in_place(partial, complete, replaces);
  sync_folder(complete.parent_path());
  if (replaces && fs::exists(partial, ignored)) remove_checkpoint(partial);
  return complete;
}

}  // namespace phalanx::checkpoint

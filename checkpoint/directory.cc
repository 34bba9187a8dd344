#include "checkpoint/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <tuple>

#include "base/file.h"
#include "checkpoint/error.h"
#include "protocol/run_directory.h"

namespace phalanx::checkpoint {
namespace {

namespace fs = std::filesystem;
using State = CheckpointEntry::State;

constexpr const char* kDeleting = ".deleting";

std::string name_of(CheckpointId id) {
  return fmt::format("step-{:08}-attempt-{}", id.step, id.attempt);
}

std::string partial_name(CheckpointId id, std::uint64_t generation) {
  return fmt::format("{}.partial-g{}", name_of(id), generation);
}

bool is_newer(const CheckpointEntry& a, const CheckpointEntry& b) {
  return std::tie(a.id.attempt, a.id.step, a.generation) >
         std::tie(b.id.attempt, b.id.step, b.generation);
}

[[noreturn]] void storage_failed(const fs::path& path, const char* what,
                                 const std::error_code& error) {
  throw storage_error(fmt::format("{}: {}", path.string(), what), error.value());
}

// Why the entry cannot be loaded, or its manifest.
std::string try_read(const CheckpointEntry& entry, Manifest& manifest) {
  if (entry.state == State::kPartial) return "is incomplete: it was still being written";
  if (entry.state == State::kDeleting) return "is being deleted";
  try {
    manifest = read_checked(entry.path);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

bool is_obsolete(const CheckpointEntry& partial, Saver now,
                 const std::optional<CheckpointEntry>& newest_complete) {
  const bool earlier =
      std::tie(partial.id.attempt, partial.generation) < std::tie(now.attempt, now.generation);
  const bool overtaken = newest_complete && partial.id.attempt == newest_complete->id.attempt &&
                         partial.id.step <= newest_complete->id.step;
  return partial.id.attempt <= now.attempt && (earlier || overtaken);
}

}  // namespace

fs::path complete_path(const fs::path& output, CheckpointId id) {
  return protocol::RunDirectory(output).checkpoints() / name_of(id);
}

fs::path partial_path(const fs::path& output, CheckpointId id, std::uint64_t generation) {
  return protocol::RunDirectory(output).checkpoints() / partial_name(id, generation);
}

std::optional<CheckpointEntry> parse_checkpoint_name(const fs::path& path) {
  const std::string name = path.filename().string();
  CheckpointEntry entry{path};
  if (std::sscanf(name.c_str(), "step-%" SCNd64 "-attempt-%" SCNd64 ".partial-g%" SCNu64,
                  &entry.id.step, &entry.id.attempt, &entry.generation) < 2)
    return std::nullopt;
  if (name.ends_with(kDeleting)) {
    entry.state = State::kDeleting;
    return entry;
  }
  if (name == name_of(entry.id)) return entry;
  entry.state = State::kPartial;
  if (name == partial_name(entry.id, entry.generation)) return entry;
  return std::nullopt;
}

std::vector<CheckpointEntry> list_checkpoints(const fs::path& output) {
  const fs::path folder = protocol::RunDirectory(output).checkpoints();
  std::vector<CheckpointEntry> entries;
  std::error_code error;
  fs::directory_iterator children(folder, error);
  if (error == std::errc::no_such_file_or_directory) return entries;
  for (; !error && children != fs::directory_iterator(); children.increment(error))
    if (auto entry = parse_checkpoint_name(children->path())) entries.push_back(std::move(*entry));
  if (error) storage_failed(folder, "list", error);
  std::ranges::sort(entries, is_newer);
  return entries;
}

Manifest read_checked(const fs::path& directory) {
  Manifest manifest = read_manifest(directory);
  for (const auto& shard : manifest.shards) {
    const fs::path file = directory / shard.file;
    std::error_code error;
    const auto bytes = fs::file_size(file, error);
    if (error == std::errc::no_such_file_or_directory)
      throw DamagedError(
          fmt::format("{}: expected {} bytes, found no such file", file.string(), shard.bytes));
    if (error) storage_failed(file, "stat", error);
    if (bytes != shard.bytes)
      throw DamagedError(
          fmt::format("{}: expected {} bytes, found {}", file.string(), shard.bytes, bytes));
  }
  return manifest;
}

std::optional<LoadableCheckpoint> newest_loadable(
    const std::vector<CheckpointEntry>& entries,
    const std::function<void(const CheckpointEntry&, const std::string&)>& skipped) {
  for (const auto& entry : entries) {
    Manifest manifest;
    const std::string problem = try_read(entry, manifest);
    if (problem.empty()) return LoadableCheckpoint{entry.path, std::move(manifest)};
    skipped(entry, problem);
  }
  return std::nullopt;
}

std::vector<fs::path> prune(const fs::path& output, std::int64_t keep, Saver now) {
  const auto entries = list_checkpoints(output);
  std::vector<fs::path> removed;
  std::optional<CheckpointEntry> newest_complete;
  std::int64_t kept = 0;
  for (const auto& entry : entries) {
    if (entry.state == State::kDeleting) removed.push_back(entry.path);
    if (entry.state != State::kComplete) continue;
    Manifest manifest;
    if (kept >= std::max<std::int64_t>(keep, 1))
      removed.push_back(entry.path);
    else if (try_read(entry, manifest).empty() && ++kept == 1)
      newest_complete = entry;
  }
  for (const auto& entry : entries)
    if (entry.state == State::kPartial && is_obsolete(entry, now, newest_complete))
      removed.push_back(entry.path);
  for (const auto& path : removed) remove_checkpoint(path);
  return removed;
}

void remove_checkpoint(const fs::path& directory) {
  fs::path doomed = directory;
  std::error_code error;
  if (!directory.string().ends_with(kDeleting)) {
    doomed += kDeleting;
    fs::remove_all(doomed, error);  // of an interrupted removal of the same name
    fs::rename(directory, doomed, error);
    if (error) storage_failed(directory, "rename before removal", error);
    sync_folder(directory.parent_path());
  }
  fs::remove_all(doomed, error);
  if (error) storage_failed(doomed, "remove", error);
}

}  // namespace phalanx::checkpoint

#include "launcher/cli/ckpt_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "checkpoint/directory.h"
#include "checkpoint/error.h"
#include "checkpoint/verify.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;
using checkpoint::CheckpointEntry;
using checkpoint::CheckpointError;
using checkpoint::Damage;
using checkpoint::Manifest;
using nlohmann::json;

struct Options {
  std::string path;
  bool as_json = false;
};

void print(const json& value) { fmt::print("{}\n", value.dump(2)); }

// The run under runs/ whose checkpoints changed last.
fs::path newest_run() {
  fs::path newest;
  fs::file_time_type newest_time{};
  std::error_code error;
  for (const auto& child : fs::directory_iterator("runs", error)) {
    const auto time = fs::last_write_time(child.path() / "checkpoints", error);
    if (error || (!newest.empty() && time <= newest_time)) continue;
    newest = child.path();
    newest_time = time;
  }
  if (newest.empty())
    throw CheckpointError("runs: expected a run with checkpoints, found none",
                          "name the directory of a run");
  return newest;
}

fs::path directory_of(const Options& options) {
  fs::path path = options.path.empty() ? newest_run() : fs::path(options.path);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored))
    throw CheckpointError(path.string() + ": expected a directory, found none");
  if (!path.has_filename()) path = path.parent_path();  // "run/"
  return path;
}

// A checkpoint's directory as it is, or the newest complete one of a run.
fs::path checkpoint_of(const Options& options) {
  const fs::path path = directory_of(options);
  if (checkpoint::parse_checkpoint_name(path) || fs::exists(path / "manifest.pb")) return path;
  for (const auto& entry : checkpoint::list_checkpoints(path))
    if (entry.state == CheckpointEntry::State::kComplete) return entry.path;
  throw CheckpointError(path.string() + ": expected a checkpoint, or a run that has one");
}

const char* state_name(CheckpointEntry::State state) {
  switch (state) {
    case CheckpointEntry::State::kComplete:
      return "complete";
    case CheckpointEntry::State::kPartial:
      return "incomplete";
    case CheckpointEntry::State::kDeleting:
      return "deleting";
  }
  return "unknown";
}

json describe(const CheckpointEntry& entry) {
  json row{{"path", entry.path.string()},
           {"step", entry.id.step},
           {"attempt", entry.id.attempt},
           {"state", state_name(entry.state)}};
  if (entry.state != CheckpointEntry::State::kComplete) return row;
  try {
    const Manifest manifest = checkpoint::read_checked(entry.path);
    row["generation"] = manifest.generation;
    row["shards"] = manifest.shards.size();
    row["bytes"] = manifest.bytes();
  } catch (const Error& error) {
    row["state"] = "damaged";
    row["reason"] = error.what();
  }
  return row;
}

void list(const Options& options) {
  json rows = json::array();
  for (const auto& entry : checkpoint::list_checkpoints(directory_of(options)))
    rows.push_back(describe(entry));
  if (options.as_json) return print(rows);
  const auto cell = [](const json& row, const char* key) {
    return row.contains(key) ? row[key].dump() : "-";
  };
  fmt::print("{:>8}  {:>7}  {:<10}  {:>6}  {:>14}  PATH\n", "STEP", "ATTEMPT", "STATE", "SHARDS",
             "BYTES");
  for (const auto& row : rows) {
    fmt::print("{:>8}  {:>7}  {:<10}  {:>6}  {:>14}  {}\n", cell(row, "step"), cell(row, "attempt"),
               row["state"].get<std::string>(), cell(row, "shards"), cell(row, "bytes"),
               row["path"].get<std::string>());
    if (row.contains("reason")) fmt::print("{:>17}  {}\n", "", row["reason"].get<std::string>());
  }
}

void print_as_json(const fs::path& path, const Manifest& manifest) {
  json tensors = json::array(), shards = json::array();
  for (const auto& tensor : manifest.tensors)
    tensors.push_back({{"name", tensor.name}, {"shape", tensor.shape}});
  for (const auto& shard : manifest.shards)
    shards.push_back(
        {{"file", shard.file}, {"bytes", shard.bytes}, {"regions", shard.regions.size()}});
  print({{"path", path.string()},
         {"step", manifest.step},
         {"attempt", manifest.attempt},
         {"generation", manifest.generation},
         {"phalanx_version", manifest.phalanx_version},
         {"cursor", manifest.cursor},
         {"optimizer_step", manifest.optimizer_step},
         {"tokens", manifest.tokens},
         {"bytes", manifest.bytes()},
         {"kinds", manifest.kinds},
         {"tensors", tensors},
         {"shards", shards},
         {"job", manifest.job_yaml}});
}

void print_as_text(const fs::path& path, const Manifest& manifest) {
  std::int64_t elements = 0;
  for (const auto& tensor : manifest.tensors) elements += tensor.elements();
  fmt::print("{}\n", path.string());
  fmt::print("step            {}, attempt {}, generation {}\n", manifest.step, manifest.attempt,
             manifest.generation);
  fmt::print("saved by        phalanx {}\n", manifest.phalanx_version);
  fmt::print("cursor          {} samples, {} tokens\n", manifest.cursor, manifest.tokens);
  fmt::print("optimizer step  {}\n", manifest.optimizer_step);
  fmt::print("state           {}: {} elements each\n", fmt::join(manifest.kinds, ", "), elements);
  fmt::print("shards          {}, {} bytes\n", manifest.shards.size(), manifest.bytes());
  for (const auto& shard : manifest.shards)
    fmt::print("  {}  {} bytes, {} regions\n", shard.file, shard.bytes, shard.regions.size());
  fmt::print("tensors         {}\n", manifest.tensors.size());
  for (const auto& tensor : manifest.tensors)
    fmt::print("  {}  [{}]\n", tensor.name, fmt::join(tensor.shape, ", "));
  fmt::print("job\n");
  std::istringstream job(manifest.job_yaml);
  for (std::string line; std::getline(job, line);) fmt::print("  {}\n", line);
}

void inspect(const Options& options) {
  const fs::path path = checkpoint_of(options);
  const Manifest manifest = checkpoint::read_manifest(path);
  return options.as_json ? print_as_json(path, manifest) : print_as_text(path, manifest);
}

void print_verdict(const fs::path& path, const Manifest& manifest,
                   const std::vector<Damage>& damage, const Options& options) {
  if (options.as_json) {
    json rows = json::array();
    for (const auto& [file, part, expected, found] : damage)
      rows.push_back({{"file", file}, {"part", part}, {"expected", expected}, {"found", found}});
    return print({{"path", path.string()},
                  {"step", manifest.step},
                  {"shards", manifest.shards.size()},
                  {"bytes", manifest.bytes()},
                  {"damage", rows}});
  }
  for (const auto& [file, part, expected, found] : damage)
    fmt::print("{}: {}: expected {}, found {}\n", (path / file).string(), part, expected, found);
  if (damage.empty())
    fmt::print("{}: all {} shards, {} bytes, are as they were written\n", path.string(),
               manifest.shards.size(), manifest.bytes());
}

void verify(const Options& options) {
  const fs::path path = checkpoint_of(options);
  const Manifest manifest = checkpoint::read_manifest(path);
  const auto threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  const auto damage = checkpoint::verify(path, manifest, static_cast<int>(threads));
  print_verdict(path, manifest, damage, options);
  std::fflush(stdout);
  if (damage.empty()) return;
  const auto& [file, part, expected, found] = damage.front();
  throw checkpoint::DamagedError(
      fmt::format("{}: damaged in {} places, the first: {}: {}: expected {}, found {}",
                  path.string(), damage.size(), file, part, expected, found),
      "resume from another checkpoint (`phalanx ckpt ls`) with --resume=PATH");
}

void add(CLI::App& parent, const std::string& name, const std::string& description,
         const std::string& argument, const std::string& argument_help,
         void (*command)(const Options&)) {
  auto options = std::make_shared<Options>();
  auto& app = *parent.add_subcommand(name, description);
  app.add_option(argument, options->path, argument_help);
  app.add_flag("--json", options->as_json, "print JSON");
  app.callback([options, command] { command(*options); });
}

}  // namespace

void add_ckpt_commands(CLI::App& root) {
  auto& ckpt = *root.add_subcommand("ckpt", "List, inspect and verify checkpoints");
  ckpt.require_subcommand(1);
  const std::string either =
      "a checkpoint, or a run for its newest one (default: the newest run under runs/)";
  add(ckpt, "ls", "List the checkpoints of a run, newest first", "OUTPUT",
      "the directory of a run (default: the newest under runs/)", list);
  add(ckpt, "inspect", "Show what a checkpoint holds", "CHECKPOINT", either, inspect);
  add(ckpt, "verify", "Read all of a checkpoint and compare every checksum", "CHECKPOINT", either,
      verify);
}

}  // namespace phalanx::launcher

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "checkpoint/directory.h"
#include "checkpoint/error.h"
#include "checkpoint/verify.h"
#include "launcher/cli/commands.h"
#include "launcher/cli/run_folder.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;
using checkpoint::CheckpointEntry;
using checkpoint::Damage;
using checkpoint::Manifest;
using protocol::ExitCode;
using json = nlohmann::ordered_json;

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

std::string as_table(const json& rows) {
  const auto cell = [](const json& row, const char* key) {
    return row.contains(key) ? row[key].dump() : "-";
  };
  std::string table = fmt::format("{:>8}  {:>7}  {:<10}  {:>6}  {:>14}  PATH\n", "STEP", "ATTEMPT",
                                  "STATE", "SHARDS", "BYTES");
  for (const auto& row : rows) {
    table += fmt::format("{:>8}  {:>7}  {:<10}  {:>6}  {:>14}  {}\n", cell(row, "step"),
                         cell(row, "attempt"), row["state"].get<std::string>(), cell(row, "shards"),
                         cell(row, "bytes"), row["path"].get<std::string>());
    if (row.contains("reason"))
      table += fmt::format("{:>17}  {}\n", "", row["reason"].get<std::string>());
  }
  return table;
}

int list(const std::string& given, const Printer& printer) {
  const fs::path run = find_run(given);
  json rows = json::array();
  for (const auto& entry : checkpoint::list_checkpoints(run)) rows.push_back(describe(entry));
  printer.print(rows, rows.empty() ? run.string() + ": no checkpoints yet" : as_table(rows));
  return 0;
}

json as_json(const fs::path& path, const Manifest& manifest) {
  json tensors = json::array(), shards = json::array();
  for (const auto& tensor : manifest.tensors)
    tensors.push_back({{"name", tensor.name}, {"shape", tensor.shape}});
  for (const auto& shard : manifest.shards)
    shards.push_back(
        {{"file", shard.file}, {"bytes", shard.bytes}, {"regions", shard.regions.size()}});
  return {{"path", path.string()},
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
          {"job", manifest.job_yaml}};
}

std::string as_text(const fs::path& path, const Manifest& manifest) {
  std::int64_t elements = 0;
  for (const auto& tensor : manifest.tensors) elements += tensor.elements();
  std::string text = path.string() + "\n";
  text += fmt::format("step            {}, attempt {}, generation {}\n", manifest.step,
                      manifest.attempt, manifest.generation);
  text += fmt::format("saved by        phalanx {}\n", manifest.phalanx_version);
  text += fmt::format("cursor          {} samples, {} tokens\n", manifest.cursor, manifest.tokens);
  text += fmt::format("optimizer step  {}\n", manifest.optimizer_step);
  text += fmt::format("state           {}: {} elements each\n", fmt::join(manifest.kinds, ", "),
                      elements);
  text += fmt::format("shards          {}, {} bytes\n", manifest.shards.size(), manifest.bytes());
  for (const auto& shard : manifest.shards)
    text +=
        fmt::format("  {}  {} bytes, {} regions\n", shard.file, shard.bytes, shard.regions.size());
  text += fmt::format("tensors         {}\n", manifest.tensors.size());
  for (const auto& tensor : manifest.tensors)
    text += fmt::format("  {}  [{}]\n", tensor.name, fmt::join(tensor.shape, ", "));
  text += "job\n";
  std::istringstream job(manifest.job_yaml);
  for (std::string line; std::getline(job, line);) text += "  " + line + "\n";
  return text;
}

int inspect(const std::string& given, const Printer& printer) {
  const fs::path path = find_checkpoint(given);
  const Manifest manifest = checkpoint::read_manifest(path);
  printer.print(as_json(path, manifest), as_text(path, manifest));
  return 0;
}

json as_json(const fs::path& path, const Manifest& manifest, const std::vector<Damage>& damage) {
  json rows = json::array();
  for (const auto& [file, part, expected, found] : damage)
    rows.push_back({{"file", file}, {"part", part}, {"expected", expected}, {"found", found}});
  return {{"path", path.string()},
          {"step", manifest.step},
          {"shards", manifest.shards.size()},
          {"bytes", manifest.bytes()},
          {"damage", rows}};
}

std::string as_text(const fs::path& path, const Manifest& manifest,
                    const std::vector<Damage>& damage) {
  if (damage.empty())
    return fmt::format("{}: all {} shards, {} bytes, are as they were written", path.string(),
                       manifest.shards.size(), manifest.bytes());
  std::string text;
  for (const auto& [file, part, expected, found] : damage)
    text += fmt::format("{}: {}: expected {}, found {}\n", (path / file).string(), part, expected,
                        found);
  return text;
}

int verify(const std::string& given, const Printer& printer) {
  const fs::path path = find_checkpoint(given);
  const Manifest manifest = checkpoint::read_manifest(path);
  const auto threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  const auto damage = checkpoint::verify(path, manifest, static_cast<int>(threads));
  printer.print(as_json(path, manifest, damage), as_text(path, manifest, damage));
  if (damage.empty()) return 0;
  const auto& [file, part, expected, found] = damage.front();
  throw checkpoint::DamagedError(
      fmt::format("{}: damaged in {} places, the first: {}: {}: expected {}, found {}",
                  path.string(), damage.size(), file, part, expected, found),
      "resume from another checkpoint (`phalanx ckpt ls`) with --resume=PATH");
}

Subcommand command(const std::string& name, const std::string& summary, const Option& argument,
                   std::vector<ExitCode> codes, int (*body)(const std::string&, const Printer&)) {
  auto path = std::make_shared<std::string>();
  Option option = argument;
  option.target = path.get();
  return {.name = "ckpt " + name,
          .group = "Results",
          .summary = summary,
          .options = {option},
          .examples = {fmt::format("ckpt {} runs/tiny-code-model", name),
                       fmt::format("ckpt {} --json", name)},
          .exit_codes = std::move(codes),
          .run = [path, body](const Printer& printer) { return body(*path, printer); }};
}

}  // namespace

std::vector<Subcommand> ckpt_commands() {
  const Option run{"RUN", "", "A run's output folder; the newest under runs/ if left out"};
  const Option either{"CHECKPOINT", "",
                      "A checkpoint, or a run for its newest complete one; the newest run under "
                      "runs/ if left out"};
  return {
      command("ls", "List the checkpoints of a run, newest first", run, {ExitCode::kStorage}, list),
      command("inspect", "Show what a checkpoint holds", either,
              {ExitCode::kStorage, ExitCode::kDiffers, ExitCode::kNoCheckpoint}, inspect),
      command("verify", "Read all of a checkpoint and compare every checksum", either,
              {ExitCode::kStorage, ExitCode::kDiffers, ExitCode::kNoCheckpoint}, verify)};
}

}  // namespace phalanx::launcher

#include "launcher/cli/run_file.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {

using protocol::RunDirectory;

void write_run_file(const std::filesystem::path& output, const RunFile& run) {
  const nlohmann::ordered_json json = {{"schema_version", 1}, {"address", run.address},
                                       {"token", run.token},  {"attempt", run.attempt},
                                       {"pid", run.pid},      {"keeper_pids", run.keeper_pids}};
  write_file_atomically(RunDirectory(output).run(), json.dump(2) + "\n", 0600);
}

RunFile read_run_file(const std::filesystem::path& output) {
  const auto path = RunDirectory(output).run();
  if (!std::filesystem::exists(path))
    throw LaunchError(output.string() + ": expected the folder of a run, found no run.json in it",
                      "give the folder that the job file calls `output`");
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    return {json.at("address"), json.at("token"), json.at("pid"), json.at("keeper_pids"),
            json.at("attempt")};
  } catch (const nlohmann::json::exception& error) {
    throw LaunchError(path.string() + ": " + error.what(), "remove the file; nobody needs it");
  }
}

std::filesystem::path find_run(const std::string& given) {
  if (!given.empty()) return given;
  std::filesystem::path newest;
  std::filesystem::file_time_type newest_time{};
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator("runs", missing)) {
    const auto file = RunDirectory(entry.path()).job();
    if (!std::filesystem::exists(file)) continue;
    const auto time = std::filesystem::last_write_time(file);
    if (newest.empty() || time > newest_time) {
      newest = entry.path();
      newest_time = time;
    }
  }
  if (newest.empty())
    throw LaunchError("expected a run under runs/ in this folder, found none",
                      "name the folder of a run");
  return newest;
}

}  // namespace phalanx::launcher

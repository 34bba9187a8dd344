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
    throw LaunchError(path.string() + ": expected how to reach the run, found nothing");
  try {
    const auto json = nlohmann::json::parse(read_file(path));
    return {json.at("address"), json.at("token"), json.at("pid"), json.at("keeper_pids"),
            json.at("attempt")};
  } catch (const nlohmann::json::exception& error) {
    throw LaunchError(path.string() + ": " + error.what());
  }
}

void remove_run_file(const std::filesystem::path& output) {
  std::error_code ignored;  // an output that cannot be written is somebody else's to report
  std::filesystem::remove(RunDirectory(output).run(), ignored);
}

}  // namespace phalanx::launcher

#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace phalanx::launcher {

// output/run.json: how to reach a run, for who may read it (mode 0600).
struct RunFile {
  std::string address;  // of the controller, host:port
  std::string token;
  int pid = 0;                   // of phalanx run
  std::vector<int> keeper_pids;  // by node
  int attempt = 0;
};
void write_run_file(const std::filesystem::path& output, const RunFile& run);
// Throws LaunchError when the folder holds no run.
RunFile read_run_file(const std::filesystem::path& output);

// The run that a command means: `given`, or where nothing is given the newest folder with a run
// under runs/. Throws LaunchError when there is none.
std::filesystem::path find_run(const std::string& given);

}  // namespace phalanx::launcher

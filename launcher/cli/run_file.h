#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace phalanx::launcher {

// output/run.json: how to reach a run that is at work, for who may read it (mode 0600). It means
// nothing unless the output is locked (launcher/cli/output_lock.h).
struct RunFile {
  std::string address;  // of the controller, host:port
  std::string token;
  int pid = 0;                   // of phalanx run
  std::vector<int> keeper_pids;  // by node
  int attempt = 0;
};
void write_run_file(const std::filesystem::path& output, const RunFile& run);
// Throws LaunchError when there is none, or one that is none.
RunFile read_run_file(const std::filesystem::path& output);
// At the end of a run. One that is not there is removed.
void remove_run_file(const std::filesystem::path& output);

}  // namespace phalanx::launcher

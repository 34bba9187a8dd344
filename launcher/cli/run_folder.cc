#include "launcher/cli/run_folder.h"

#include "checkpoint/directory.h"
#include "checkpoint/error.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

namespace fs = std::filesystem;
using protocol::RunDirectory;

constexpr auto kHelp = "name the folder that the job file calls `output`";

// "run/" is "run". Throws RefusedError unless it is a folder.
fs::path folder(const std::string& given, const char* expected) {
  const fs::path path =
      given.ends_with('/') && given.size() > 1 ? fs::path(given).parent_path() : fs::path(given);
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::is_directory(status))
    throw RefusedError(given + ": expected " + expected + ", found " +
                           (fs::exists(status) ? "no folder" : "nothing"),
                       kHelp);
  return path;
}

fs::path newest_run() {
  fs::path newest;
  fs::file_time_type newest_time{};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("runs", error)) {
    const auto time = fs::last_write_time(RunDirectory(entry.path()).job(), error);
    if (error || (!newest.empty() && time <= newest_time)) continue;
    newest = entry.path();
    newest_time = time;
  }
  if (newest.empty())
    throw RefusedError("expected a run under runs/ in this folder, found none",
                       "name the folder of a run");
  return newest;
}

}  // namespace

fs::path find_run(const std::string& given) {
  if (given.empty()) return newest_run();
  const auto path = folder(given, "the folder of a run");
  const RunDirectory run(path);
  if (!fs::exists(run.job_of(1)) && !fs::exists(run.checkpoints()))
    throw RefusedError(
        given +
            ": expected the folder of a run, found neither a job of a run nor checkpoints/ in it",
        kHelp);
  return path;
}

fs::path find_checkpoint(const std::string& given) {
  if (!given.empty()) {
    const auto path = folder(given, "the folder of a checkpoint or of a run");
    if (checkpoint::parse_checkpoint_name(path) || fs::exists(path / "manifest.pb")) return path;
  }
  const auto run = find_run(given);
  for (const auto& entry : checkpoint::list_checkpoints(run))
    if (entry.state == checkpoint::CheckpointEntry::State::kComplete) return entry.path;
  throw checkpoint::CheckpointError(
      run.string() + ": expected a run with a complete checkpoint, found none",
      "a run saves every `checkpoint.every` steps, and when it is stopped");
}

}  // namespace phalanx::launcher

#include "launcher/cli/attempt.h"

#include <filesystem>

#include "checkpoint/directory.h"
#include "checkpoint/error.h"
#include "config/load.h"
#include "launcher/error.h"
#include "protocol/run_directory.h"

namespace phalanx::launcher {
namespace {

using protocol::RunDirectory;

constexpr auto kAllDamaged =
    "`phalanx ckpt verify` lists all damage; choose another `output` to begin from the start";

int newest_attempt(const RunDirectory& run) {
  int newest = 0;
  while (std::filesystem::exists(run.job_of(newest + 1))) ++newest;
  return newest;
}

void require_same_identity(const config::Job& before, const config::Job& now,
                           const std::string& what) {
  const auto differences = config::identity_differences(before, now);
  if (differences.empty()) return;
  std::string list;
  for (const auto& difference : differences) list += "\n  " + difference;
  throw RefusedError(what + " is of another job; these differ:" + list,
                     "undo the change, or choose another `output` for a new run");
}

std::optional<checkpoint::LoadableCheckpoint> newest(const std::string& output, Attempt& attempt) {
  return checkpoint::newest_loadable(
      checkpoint::list_checkpoints(output),
      [&](const checkpoint::CheckpointEntry& entry, const std::string& reason) {
        const bool complete = entry.state == checkpoint::CheckpointEntry::State::kComplete;
        auto& passed_over = (complete ? attempt.damaged : attempt.incomplete).emplace_back();
        passed_over.set_directory(entry.path.string());
        passed_over.set_reason(reason);
      });
}

// To a run that cannot go on otherwise, damage is a checkpoint that does not load, whoever finds
// it.
checkpoint::Manifest read_chosen(const std::string& path) {
  try {
    return checkpoint::read_checked(path);
  } catch (const checkpoint::DamagedError& error) {
    throw checkpoint::CheckpointError(error.what(), error.help());
  }
}

std::string list_of(const std::vector<protocol::PassedOver>& checkpoints) {
  std::string list;
  for (const auto& checkpoint : checkpoints)
    list += "\n  passed over " + checkpoint.directory() + ": " + checkpoint.reason();
  return list;
}

void go_on_from(Attempt& attempt, const std::string& path, const checkpoint::Manifest& manifest,
                const config::Job& job) {
  require_same_identity(config::load_job_text(manifest.job_yaml, path).job, job, path);
  attempt.checkpoint = path;
  attempt.step = manifest.step;
  attempt.finished = manifest.step >= job.train.steps;
}

}  // namespace

Attempt plan_attempt(const config::Job& job, const std::string& resume) {
  const RunDirectory run(job.output);
  Attempt attempt;
  attempt.number = newest_attempt(run) + 1;
  const bool used = attempt.number > 1;
  if (resume == "never") {
    if (used)
      throw RefusedError("--resume=never: " + job.output + " holds a run already",
                         "choose another `output`, or go on with --resume=auto");
    return attempt;
  }
  if (resume != "auto" && resume != "must") {
    if (!std::filesystem::is_directory(resume))
      throw RefusedError(
          "--resume: expected auto, must, never or the folder of a checkpoint, found `" + resume +
              "`",
          "`phalanx ckpt ls` lists checkpoints");
    attempt.chosen = true;
    go_on_from(attempt, resume, read_chosen(resume), job);
    return attempt;
  }
  if (used) require_same_identity(config::load_job(run.job().string()).job, job, job.output);
  if (const auto found = newest(job.output, attempt)) {
    go_on_from(attempt, found->path.string(), found->manifest, job);
  } else if (resume == "must") {
    throw checkpoint::CheckpointError(
        "--resume=must: expected a checkpoint in " + job.output + ", found none that loads" +
            list_of(attempt.damaged),
        attempt.damaged.empty() ? "run with --resume=auto to begin from the start" : kAllDamaged);
  } else if (!attempt.damaged.empty()) {
    throw checkpoint::CheckpointError(
        job.output + ": no checkpoint loads" + list_of(attempt.damaged), kAllDamaged);
  }
  return attempt;
}

}  // namespace phalanx::launcher

#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "config/job.h"
#include "launcher/control/action.h"
#include "launcher/control/decision.pb.h"

namespace phalanx::control {

// Makes checkpoints complete on a thread of its own, and removes the ones that are not kept: disks
// may take their time.
class Committer {
 public:
  // `answer` gets a CheckpointCommitted or CommitFailed event for each commit, on that thread.
  Committer(const config::Job& job, std::filesystem::path output, int attempt,
            std::function<void(Event)> answer);
  // Finishes the commit under way; drops those that wait.
  ~Committer();

  void commit(CommitCheckpoint commit);

 private:
  void run();
  Event carry_out(const CommitCheckpoint& commit) const;
  void prune(std::uint64_t generation) const;

  const config::Job job_;
  const std::filesystem::path output_;
  const int attempt_;
  const std::function<void(Event)> answer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<CommitCheckpoint> waiting_;
  bool leaving_ = false;
  std::jthread thread_;
};

// The checkpoint that `directory` holds, as a state to begin from. Throws CheckpointError or
// StorageError.
SavedState read_saved_state(const std::string& directory);

}  // namespace phalanx::control

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

// The run's checkpoints on disk: makes them complete, finds them, and removes the ones that are not
// kept, one after another on a thread of its own: disks may take their time.
class Archive {
 public:
  // Gets the answer to each commit and each search, on that thread.
  using Answer = std::function<void(Event)>;

  Archive(const protocol::ControllerStart& start, const config::Job& job, Answer answer);
  // Finishes what is under way and what waits.
  ~Archive();

  void commit(CommitCheckpoint commit);
  void discard(DiscardSave save);
  void find(FindCheckpoint search);

 private:
  void post(std::function<void()> work);
  void run();
  Event carry_out(const CommitCheckpoint& commit) const;
  Event carry_out(const FindCheckpoint& search) const;
  void remove(const DiscardSave& save) const;
  void prune(std::uint64_t generation) const;

  const protocol::ControllerStart start_;
  const config::Job job_;
  const std::filesystem::path output_;
  const Answer answer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool leaving_ = false;
  std::jthread thread_;
};

// The checkpoint that `directory` holds, as a state to begin from. Throws CheckpointError or
// StorageError.
SavedState read_saved_state(const std::string& directory);

}  // namespace phalanx::control

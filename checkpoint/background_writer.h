#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "checkpoint/shard.h"
#include "checkpoint/state_view.h"

namespace phalanx::checkpoint {

// How a save ended: the shard, or what went wrong and what to do.
struct SaveResult {
  std::optional<ShardInfo> shard;
  std::string error;
  std::string help;
};

// Writes shards on a thread of its own, so that training waits for a copy in memory and never for a
// disk. Staging memory (as large as the largest save) is kept for the next save. All methods are
// for one thread.
class BackgroundWriter {
 public:
  // Called exactly once for each save, on the writer's thread (on the caller's when the save could
  // not begin); must not throw.
  using Done = std::function<void(const SaveResult&)>;

  BackgroundWriter();
  // Finishes the save that is under way.
  ~BackgroundWriter();

  // Takes the staging memory for saves of this size, on the writer's thread: the first save would
  // wait several times longer than the next, for the system to hand its pages over.
  void reserve(std::size_t elements);

  // Copies the views and returns; write_shard's arguments otherwise. While the save before is still
  // being written it waits for it, at most until `deadline`: then this save fails. Failures go to
  // `done`, never to the caller.
  void save(const std::filesystem::path& directory, const std::string& file,
            const std::vector<GlobalTensor>& tensors, std::span<const StateView> views,
            TimePoint deadline, Done done);

  // Waits until no save and no reservation is under way; false when one still is at `deadline`.
  [[nodiscard]] bool wait_idle(TimePoint deadline);

 private:
  struct Save;
  void run();
  bool is_idle() const { return pending_ == nullptr && staging_.size() >= reserved_; }
  void write(std::unique_lock<std::mutex>& lock);
  void grow(std::unique_lock<std::mutex>& lock);
  std::vector<StateView> stage(std::span<const StateView> views);

  std::vector<float> staging_;  // the writer's thread's until it is idle
  std::size_t reserved_ = 0;    // elements that staging_ is to have
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Save> pending_;  // from save() until it has been written
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace phalanx::checkpoint

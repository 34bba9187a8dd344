#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/frame.h"
#include "protocol/messages.pb.h"

namespace phalanx::runtime {

// A roster with the memory of its generation on this node, where the backend needs one.
struct Summons {
  protocol::Roster roster;
  FileDescriptor node_memory;
};

// A worker's only tie to the rest of the run: the channel to its keeper, read by a thread of its
// own. When the channel ends the process ends at once: without a keeper nobody would ever ask for
// it again.
class KeeperLink {
 public:
  // Waits for Start, the first message. Throws SystemError when it does not come.
  explicit KeeperLink(FrameChannel channel);
  ~KeeperLink();

  const protocol::Start& start() const { return start_; }
  void send(const protocol::FromWorker& message);

  // Blocks for the next roster; empty when this worker is to leave.
  std::optional<Summons> await_roster();
  // Blocks until `generation` is over: aborted, or followed by another or by leaving.
  void await_end_of(std::uint64_t generation);

  // What to do when the keeper ends `generation`, from the link's thread; at once if that has
  // happened already. Returns when no earlier callback is running. An empty function takes it back.
  using OnAbort = std::function<void(int rank, const std::string& reason)>;
  void on_abort(std::uint64_t generation, OnAbort callback);

  // The run has been asked to save and stop.
  bool stop_requested() const { return stop_requested_; }

  // The requests for traces since the last call; looks at one flag when there are none.
  std::vector<protocol::Trace> take_traces();

 private:
  void read_messages();
  void take(protocol::ToWorker message, std::vector<FileDescriptor> descriptors);

  FrameChannel channel_;
  protocol::Start start_;
  std::mutex sending_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Summons> rosters_;
  bool leave_ = false;
  protocol::Abort newest_abort_;
  std::uint64_t watched_generation_ = 0;
  OnAbort on_abort_;
  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> traces_wanted_ = false;
  std::vector<protocol::Trace> traces_;
  std::jthread reader_;
};

}  // namespace phalanx::runtime

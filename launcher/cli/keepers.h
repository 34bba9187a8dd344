#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/process.h"
#include "protocol/messages.pb.h"

namespace phalanx::launcher {

// The keepers of this host's (emulated) nodes, as children of this process, each with a channel. A
// keeper dies with the thread that has made it here, so whatever happens to us, even a stopped one
// leaves nothing behind.
class Keepers {
 public:
  // Starts one keeper for each; node 0's starts the controller. Everything below inherits `lock`.
  // Throws SystemError.
  Keepers(const std::vector<protocol::KeeperStart>& starts, const FileDescriptor& lock);

  struct Keeper {
    pid_t pid = 0;  // 0: has ended
    std::string name;
    FrameChannel channel;
    int node = 0;
  };
  const std::vector<Keeper>& all() const { return keepers_; }
  bool all_ended() const;
  void send_all(const protocol::ToKeeper& message);
  // The next message of a keeper that poll(2) says has one; empty when there is none.
  std::optional<protocol::FromKeeper> receive(int node);

  struct Death {
    int node = 0;
    ExitStatus status;
  };
  // Keepers that have ended since the last call.
  std::vector<Death> reap();
  void kill_all();

 private:
  std::vector<Keeper> keepers_;
};

}  // namespace phalanx::launcher

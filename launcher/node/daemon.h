#pragma once

#include <signal.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "launcher/node/frame_peer.h"
#include "launcher/node/restart_policy.h"
#include "protocol/messages.pb.h"

namespace phalanx::node {

// A program beside the workers, started again when it dies. It has its end of a channel as
// descriptor 3, writes to its own log, and dies with the keeper.
class Daemon {
 public:
  struct Program {
    std::string path;
    std::vector<std::string> arguments;
    std::string name;
    std::filesystem::path log;
    int end_signal = SIGKILL;  // ends it when it, or the keeper, is to end
  };
  struct Handlers {
    std::function<void()> on_start;  // peer() is there
    std::function<void(Frame&)> on_frame;
    std::function<void()> on_room = [] {};
    std::function<void(const std::string& why)> on_given_up;  // why: and its last lines
  };

  Daemon(EventLoop& loop, Program program, RestartPolicy policy, Handlers handlers)
      : loop_(loop),
        program_(std::move(program)),
        policy_(std::move(policy)),
        handlers_(std::move(handlers)) {}

  void start();
  // It has been reaped: reads what it said last, and starts it again when the policy says so.
  void died(const std::string& how);
  // It is not started again when it ends.
  void let_go() { ending_ = true; }
  // Ends it, and it is not started again.
  void end();
  // SIGKILL, for the reason that its log then gives; it is started again.
  void kill(const std::string& why);
  void forget_deaths() { policy_.forget_deaths(); }

  pid_t pid() const { return pid_; }  // 0: not running
  // Says that it has been started, for the controller.
  protocol::NodeReport started() const;
  FramePeer* peer() { return peer_.get(); }  // null: not running

 private:
  void try_again(const std::string& how);

  EventLoop& loop_;
  Program program_;
  RestartPolicy policy_;
  Handlers handlers_;
  bool ending_ = false;
  std::string previous_death_;
  int starts_ = 0;
  pid_t pid_ = 0;
  std::unique_ptr<FramePeer> peer_;
};

}  // namespace phalanx::node

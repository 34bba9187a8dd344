#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "launcher/node/daemon.h"
#include "launcher/node/generation_memory.h"
#include "launcher/node/mpi_places.h"
#include "protocol/messages.pb.h"

namespace phalanx::node {

// The workers of a node, one per slot: started through the nursery one after another, reaped, told
// and heard. What the controller must know is reported; what comes for or from a worker that is no
// longer there is dropped.
class Workers {
 public:
  struct Handlers {
    std::function<void(protocol::NodeReport)> report;
    // A new worker holds the slot; `black_box` is the descriptor of its box.
    std::function<void(const protocol::WatchBlackBox&, int black_box)> watch;
    std::function<void()> on_all_gone;  // after leave(): none is there any more
  };

  Workers(EventLoop& loop, const protocol::KeeperStart& node, Handlers handlers);

  // Commands of the controller.
  void start(int slot);
  void kill(int slot, pid_t pid);
  void begin(const protocol::Roster& roster);
  void abort(const protocol::Abort& abort);
  void stop();
  void trace(const protocol::Trace& trace);
  void leave(Duration grace);
  // Reading their frames stops and goes on: the controller is too far behind.
  void pause();
  void resume();

  // What the keeper has noticed.
  void nursery_started();
  void nursery_said(Frame& frame);
  void given_up(const std::string& why, const std::string& help);
  // False when the process is no worker that is known yet.
  void exited(const ExitStatus& status);
  // True when `pid` holds the slot now.
  bool holds(int slot, pid_t pid) const;
  // Calls handlers.watch for every worker: for a new agent.
  void watch_all();
  void kill_all();

  Daemon& nursery() { return nursery_; }
  MpiPlaces& mpi_places() { return mpi_places_; }

 private:
  struct Worker {
    pid_t pid = 0;                    // 0: there is none
    bool reaped = false;              // the pid may be another's by now
    std::uint64_t incarnation = 0;    // tells a later worker of the slot from this one
    int rank = -1;                    // in the current generation; -1: no member
    std::unique_ptr<FramePeer> peer;  // from the request to the nursery on
    FileDescriptor black_box;
    std::uintmax_t log_start = 0;  // its log begins here; before are its predecessors' lines
  };

  Worker* find(int slot);
  std::filesystem::path log(int slot) const;
  void fork_next();
  void request_fork(int slot);
  void forked(int slot, pid_t pid);
  void worker_said(int slot, const Frame& frame);
  void worker_closed(int slot, const std::string& garbage);
  void worker_exited(int slot, const ExitStatus& status);
  void kill_because(int slot, const std::string& why);
  void tell(int slot, const protocol::ToWorker& message, const std::vector<int>& descriptors = {});
  void tell_all(const protocol::ToWorker& message);
  void end_of_grace();
  void look_whether_all_gone();

  EventLoop& loop_;
  const protocol::KeeperStart& node_;
  Handlers handlers_;
  Daemon nursery_;
  MpiPlaces mpi_places_;
  std::vector<Worker> workers_;  // by slot
  std::uint64_t incarnations_ = 0;
  std::deque<int> to_fork_;     // slots
  std::optional<int> forking_;  // the slot that the nursery is at
  // Reaped while the nursery was forking, and nobody's so far: died before its pid was told.
  std::map<pid_t, ExitStatus> unknown_;
  GenerationMemory memory_;
  bool leaving_ = false;
};

}  // namespace phalanx::node

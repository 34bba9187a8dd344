#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/process.h"
#include "protocol/messages.pb.h"
#include "tests/node/attached_controller.h"

namespace phalanx::node {

// A node with real processes: keeper, agent, nursery and fake workers, for a controller in the
// test's own process. What is left of it is killed in the end.
class RunningNode {
 public:
  struct Options {
    int slots = 2;
    std::string job;  // orders for the fake workers: tests/fake_worker/orders.h
    std::uint64_t arena_bytes = 64 << 10;
    bool with_controller = false;  // node_main's, which says that the test's controller is its own
    std::string worker_program = PHALANX_FAKE_WORKER_PROGRAM;
  };
  explicit RunningNode(Options options);
  ~RunningNode();

  ControllerState& controller() { return state_; }
  AttachedController& service() { return *service_; }
  // Another controller takes over, elsewhere, with the same memory of what happened.
  void move_controller();
  FrameChannel& launcher() { return launcher_; }
  pid_t keeper() const { return keeper_; }
  ExitStatus keeper_exit();
  std::filesystem::path output() const { return output_; }

  // Commands.
  void start_worker(int slot);
  void kill_worker(int slot, pid_t pid);
  void begin(std::uint64_t generation, const std::vector<int>& slots);
  void abort(std::uint64_t generation, int rank);
  void stop();
  void end_node(double grace_seconds);

  // Reports. `after`: number of reports to skip.
  protocol::WorkerStarted await_started(int slot, std::size_t after = 0);
  protocol::WorkerExited await_exited(int slot, std::size_t after = 0);
  protocol::Candidate await_candidate(int slot, std::size_t after = 0);
  protocol::StepReport await_step(std::uint64_t generation, std::int64_t step);
  protocol::DaemonStarted await_daemon(const std::string& name, int starts);
  std::size_t reports() const { return state_.reports().size(); }
  // Starts all slots and waits for their candidates: their pids, by slot.
  std::vector<pid_t> start_all();
  // The keeper's child of that name.
  pid_t child_named(const std::string& name) const;
  std::vector<pid_t> children() const;

 private:
  Options options_;
  std::filesystem::path output_;
  ControllerState state_;
  std::unique_ptr<AttachedController> service_;
  FrameChannel launcher_;
  pid_t keeper_ = 0;
  bool reaped_ = false;
};

// Waits for a process that need not be a child of ours. True when it has gone.
bool gone_by(pid_t pid, TimePoint deadline);

}  // namespace phalanx::node

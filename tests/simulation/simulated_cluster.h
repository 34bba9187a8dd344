#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/reliable_link.h"
#include "tests/simulation/simulated_controller.h"

namespace phalanx::simulation {

struct ClusterOptions {
  int nodes = 2;
  int slots = 2;
  std::int64_t steps = 30;
  std::int64_t checkpoint_every = 10;
  double failure_every = 2;    // seconds, on average
  double failures_until = 60;  // seconds after the beginning
  double stop_at = -1;         // seconds after the beginning; negative: never
  double disk_fails = 0.005;   // the probability that a shard or a commit cannot be written
  double disk_damages = 0.02;  // the probability that a checkpoint is not read as it was written
  double all_die = 0.02;       // the part of the failures in which all workers do
  bool needs_new_processes = false;  // the backend cannot re-form
  std::uint64_t seed = 1;
};

// A job in virtual time: nodes, their agents' connections, and workers that train, die, hang,
// dawdle and come back, around a SimulatedController. What must never happen is written to
// `violations`.
class SimulatedCluster {
 public:
  explicit SimulatedCluster(const ClusterOptions& options);

  // Until the job has ended; gives up after `patience` seconds of virtual time.
  void run(double patience);

  SimulatedController& controller() { return *controller_; }
  int deaths() const { return deaths_; }
  int generations() const { return static_cast<int>(generations_.size()); }

 private:
  struct Worker {
    std::int64_t pid = 0;
    bool alive = false;
    bool hung = false;  // does nothing any more
    bool slow = false;  // does not leave its generation
    bool stop = false;
    std::uint64_t generation = 0;  // 0: none
    std::int64_t held = -1;
    std::int64_t passed = -1;  // a commit point whose step it has not completed yet; -1: none
  };
  struct Node {
    protocol::Outbox<protocol::NodeReport> outbox;
    protocol::Inbox inbox;
    int connection = 0;
    bool attached = false;
    double up_free = 0, down_free = 0;  // when the last message of that direction arrives
    std::vector<Worker> workers;
  };
  struct Generation {
    std::vector<std::int64_t> pids;  // by rank
    int joined = 0;
    int applied = 0;
    std::int64_t step = 0;
    std::string checkpoint;  // that it begins from; empty: from elsewhere
    bool broken = false;
    bool last = false;  // the step at work is the last
  };

  Worker& worker(int rank);
  Worker* alive(int rank, std::int64_t pid);
  void after(double low, double high, int rank, std::function<void(Worker&)> act);

  void connect(int node);
  void disconnect(int node);
  void disconnect_all();
  void report(int node, protocol::NodeReport report);
  void send_up(int node, protocol::NodeReport report);
  void on_wire(int node, int connection, std::shared_ptr<const std::string> kind,
               std::uint64_t sequence, std::uint64_t acknowledged);
  const protocol::NodeCommand& parse(const std::shared_ptr<const std::string>& kind);
  void obey(int node, const protocol::NodeCommand& command);
  void say(int rank, protocol::FromWorker said);

  void start_worker(int rank);
  void kill_worker(int rank, std::int64_t pid);
  void end_node(int node);
  void ask_to_stop();
  void die(int rank, int signal);

  void join(int node, const protocol::Roster& roster);
  void joined(int rank);
  bool finds_damage(int rank, const Generation& generation);
  void schedule_commit(std::uint64_t generation);
  void commit(std::uint64_t generation);
  void apply(int rank, std::uint64_t generation);
  void save(int rank, std::uint64_t generation, std::int64_t step);
  void finish(int rank, std::uint64_t generation, std::int64_t step);
  void break_generation(std::uint64_t generation, int culprit);
  void leave(int rank, std::uint64_t generation);

  void check_source(const protocol::Roster& roster);
  void schedule_failure();
  void fail_somehow();
  void hang(int rank);

  const ClusterOptions options_;
  VirtualTime time_;
  std::vector<Node> nodes_;
  std::map<std::uint64_t, Generation> generations_;
  std::unique_ptr<SimulatedController> controller_;
  std::deque<std::pair<std::shared_ptr<const std::string>, protocol::NodeCommand>> parsed_;
  std::int64_t next_pid_ = 1;
  int deaths_ = 0;
};

}  // namespace phalanx::simulation

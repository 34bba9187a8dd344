#include "tests/simulation/simulated_cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace phalanx::simulation {

using protocol::FromWorker;
using protocol::NodeReport;

SimulatedCluster::SimulatedCluster(const ClusterOptions& options)
    : options_(options), time_(options.seed), nodes_(static_cast<std::size_t>(options.nodes)) {
  control::Event begin;
  begin.mutable_begin()->set_nodes(options.nodes);
  begin.mutable_begin()->set_slots_per_node(options.slots);
  begin.mutable_begin()->set_steps(options.steps);
  begin.mutable_begin()->set_needs_new_processes(options.needs_new_processes);
  controller_ = std::make_unique<SimulatedController>(
      time_, begin, SimulatedController::Disk{options.disk_fails, options.disk_damages},
      [this](int node, int connection, std::shared_ptr<const std::string> kind,
             std::uint64_t sequence, std::uint64_t acknowledged) {
        on_wire(node, connection, std::move(kind), sequence, acknowledged);
      });
  controller_->on_roster = [this](const protocol::Roster& roster) { check_source(roster); };
  controller_->on_crash = [this] { disconnect_all(); };
  controller_->on_return = [this] {
    for (int node = 0; node < options_.nodes; ++node) connect(node);
  };
  for (int node = 0; node < options.nodes; ++node) {
    nodes_[static_cast<std::size_t>(node)].workers.resize(static_cast<std::size_t>(options.slots));
    NodeReport ready;
    ready.mutable_node_ready()->set_name(fmt::format("node{}", node));
    report(node, std::move(ready));
    connect(node);
  }
  schedule_failure();
  if (options.stop_at >= 0) time_.after(options.stop_at, [this] { ask_to_stop(); });
}

// Again and again while there is no controller to ask.
void SimulatedCluster::ask_to_stop() {
  if (!controller_->is_up()) return time_.after(0.5, [this] { ask_to_stop(); });
  control::Event event;
  event.mutable_stop()->set_why(control::StopRequest::TERMINATED);
  controller_->take(std::move(event));
}

void SimulatedCluster::run(double patience) {
  const double end = time_.now() + patience;
  while (!controller_->verdict() && time_.advance(end)) {
  }
  if (!controller_->verdict())
    controller_->violate(
        fmt::format("the job did not end within {} s: {}", patience, controller_->state().reason));
}

SimulatedCluster::Worker& SimulatedCluster::worker(int rank) {
  return nodes_[static_cast<std::size_t>(rank / options_.slots)]
      .workers[static_cast<std::size_t>(rank % options_.slots)];
}

SimulatedCluster::Worker* SimulatedCluster::alive(int rank, std::int64_t pid) {
  Worker& found = worker(rank);
  return found.alive && !found.hung && found.pid == pid ? &found : nullptr;
}

// What the process that is in the slot now does later, if it still lives then.
void SimulatedCluster::after(double low, double high, int rank, std::function<void(Worker&)> act) {
  time_.after(time_.uniform(low, high), [this, rank, pid = worker(rank).pid, act = std::move(act)] {
    if (Worker* found = alive(rank, pid)) act(*found);
  });
}

void SimulatedCluster::say(int rank, FromWorker said) {
  NodeReport message;
  message.mutable_worker_report()->set_slot(rank % options_.slots);
  message.mutable_worker_report()->set_pid(worker(rank).pid);
  *message.mutable_worker_report()->mutable_report() = std::move(said);
  report(rank / options_.slots, std::move(message));
}

void SimulatedCluster::start_worker(int rank) {
  if (worker(rank).alive) controller_->violate(fmt::format("two workers for rank {}", rank));
  worker(rank) = Worker();
  worker(rank).pid = next_pid_++;
  worker(rank).alive = true;
  NodeReport started;
  started.mutable_worker_started()->set_slot(rank % options_.slots);
  started.mutable_worker_started()->set_pid(worker(rank).pid);
  report(rank / options_.slots, std::move(started));
  after(0.02, 0.5, rank, [this, rank](Worker&) {
    FromWorker said;
    said.mutable_candidate()->set_held_step(-1);
    say(rank, std::move(said));
  });
}

void SimulatedCluster::kill_worker(int rank, std::int64_t pid) {
  const Worker& target = worker(rank);
  if (!target.alive || target.pid != pid) return;
  if (!target.hung && !target.slow && !options_.needs_new_processes)
    controller_->violate(fmt::format("rank {} was killed without cause", rank));
  die(rank, 9);
}

void SimulatedCluster::end_node(int number) {
  Node& node = nodes_[static_cast<std::size_t>(number)];
  for (int slot = 0; slot < options_.slots; ++slot)
    if (node.workers[static_cast<std::size_t>(slot)].alive) die(number * options_.slots + slot, 0);
  NodeReport ended;
  ended.mutable_node_ended();
  report(number, std::move(ended));
}

void SimulatedCluster::die(int rank, int signal) {
  Worker& dead = worker(rank);
  dead.alive = false;
  NodeReport exited;
  exited.mutable_worker_exited()->set_slot(rank % options_.slots);
  exited.mutable_worker_exited()->set_pid(dead.pid);
  exited.mutable_worker_exited()->set_signal(signal);
  report(rank / options_.slots, std::move(exited));
  break_generation(dead.generation, rank);
}

void SimulatedCluster::schedule_failure() {
  const double pause = time_.exponential(options_.failure_every);
  if (time_.now() + pause > 1000 + options_.failures_until) return;
  time_.after(pause, [this] {
    fail_somehow();
    schedule_failure();
  });
}

void SimulatedCluster::fail_somehow() {
  const int ranks = options_.nodes * options_.slots;
  const int rank = time_.below(ranks);
  const double which = time_.uniform(0, 1);
  const auto kill = [&](int victim) {
    if (!worker(victim).alive) return;
    ++deaths_;
    die(victim, 9);
  };
  if (which < 0.5) {
    kill(rank);
  } else if (which < 0.6) {
    for (int each = rank; each < std::min(rank + 3, ranks); ++each) kill(each);
  } else if (which < 0.6 + options_.all_die) {
    for (int each = 0; each < ranks; ++each) kill(each);
  } else if (which < 0.68 + options_.all_die) {
    hang(rank);
  } else if (which < 0.73 + options_.all_die) {
    worker(rank).slow = true;
  } else if (which < 0.87) {
    disconnect(rank / options_.slots);
  } else if (controller_->is_up()) {
    controller_->crash(time_.chance(0.5));
  }
}

// Its agent sees that its black box is silent, or a peer that it does not answer, whoever is first.
void SimulatedCluster::hang(int rank) {
  Worker& victim = worker(rank);
  if (!victim.alive) return;
  victim.hung = true;
  time_.after(time_.uniform(1, 5), [this, rank, pid = victim.pid] {
    if (!worker(rank).alive || worker(rank).pid != pid) return;
    NodeReport silent;
    silent.mutable_worker_silent()->set_slot(rank % options_.slots);
    silent.mutable_worker_silent()->set_pid(pid);
    silent.mutable_worker_silent()->set_seconds(5);
    report(rank / options_.slots, std::move(silent));
  });
  const int peer = (rank + 1) % (options_.nodes * options_.slots);
  const std::uint64_t number = victim.generation;
  after(1, 5, peer, [this, peer, rank, number](Worker& member) {
    if (number == 0 || member.generation != number || member.slow) return;
    FromWorker said;
    said.mutable_fault()->set_generation(number);
    said.mutable_fault()->set_kind("timeout");
    said.mutable_fault()->set_peer(rank);
    say(peer, std::move(said));
    leave(peer, number);
  });
}

}  // namespace phalanx::simulation

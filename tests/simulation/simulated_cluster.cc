#include "tests/simulation/simulated_cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace phalanx::simulation {

using protocol::FromWorker;
using protocol::NodeCommand;
using protocol::NodeReport;

SimulatedCluster::SimulatedCluster(const ClusterOptions& options)
    : options_(options), time_(options.seed), nodes_(static_cast<std::size_t>(options.nodes)) {
  control::Event begin;
  begin.mutable_begin()->set_nodes(options.nodes);
  begin.mutable_begin()->set_slots_per_node(options.slots);
  begin.mutable_begin()->set_steps(options.steps);
  controller_ = std::make_unique<SimulatedController>(
      time_, begin, options.disk_fails,
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

// ---------------------------------------------------------------- connections

// Messages of one direction keep their order; those in flight are lost with their connection.
void SimulatedCluster::connect(int number) {
  time_.after(time_.uniform(0.02, 0.5), [this, number] {
    Node& node = nodes_[static_cast<std::size_t>(number)];
    if (node.attached || !controller_->is_up()) return;
    node.attached = true;
    ++node.connection;
    node.up_free = node.down_free = 0;
    controller_->attach(number, node.connection);
    const auto waiting = node.outbox.unacknowledged();
    for (const NodeReport& report : waiting) send_up(number, report);
  });
}

void SimulatedCluster::disconnect(int number) {
  Node& node = nodes_[static_cast<std::size_t>(number)];
  if (!node.attached) return;
  node.attached = false;
  ++node.connection;
  // Often the new connection is there before anybody noticed that the old one broke.
  if (time_.chance(0.5)) controller_->detach(number);
  connect(number);
}

void SimulatedCluster::disconnect_all() {
  for (Node& node : nodes_) {
    node.attached = false;
    ++node.connection;
  }
}

void SimulatedCluster::report(int number, NodeReport report) {
  Node& node = nodes_[static_cast<std::size_t>(number)];
  const NodeReport& kept = node.outbox.push(std::move(report));
  if (node.attached) send_up(number, kept);
}

void SimulatedCluster::send_up(int number, NodeReport report) {
  Node& node = nodes_[static_cast<std::size_t>(number)];
  report.set_acknowledged(node.inbox.last());
  node.up_free = std::max(node.up_free, time_.now() + time_.exponential(0.02));
  time_.after(node.up_free - time_.now(),
              [this, number, connection = node.connection, report = std::move(report)] {
                const Node& node = nodes_[static_cast<std::size_t>(number)];
                if (node.connection == connection && controller_->is_up())
                  controller_->take_report(number, report);
              });
}

void SimulatedCluster::on_wire(int number, int connection, std::shared_ptr<const std::string> kind,
                               std::uint64_t sequence, std::uint64_t acknowledged) {
  Node& node = nodes_[static_cast<std::size_t>(number)];
  if (node.connection != connection) return;
  node.down_free = std::max(node.down_free, time_.now() + time_.exponential(0.02));
  time_.after(node.down_free - time_.now(),
              [this, number, connection, kind = std::move(kind), sequence, acknowledged] {
                Node& node = nodes_[static_cast<std::size_t>(number)];
                if (node.connection != connection) return;
                node.outbox.acknowledge(acknowledged);
                if (node.inbox.accept(sequence)) obey(number, parse(kind));
              });
}

// A command to all nodes may be as large as the job: parsed once.
const NodeCommand& SimulatedCluster::parse(const std::shared_ptr<const std::string>& kind) {
  for (const auto& [bytes, command] : parsed_)
    if (bytes == kind) return command;
  if (parsed_.size() == 8) parsed_.pop_front();
  auto& [bytes, command] = parsed_.emplace_back(kind, NodeCommand());
  command.ParseFromString(*kind);
  return command;
}

void SimulatedCluster::obey(int node, const NodeCommand& command) {
  const auto rank_of = [&](int slot) { return node * options_.slots + slot; };
  if (command.has_start_worker()) start_worker(rank_of(command.start_worker().slot()));
  if (command.has_kill_worker())
    kill_worker(rank_of(command.kill_worker().slot()), command.kill_worker().pid());
  if (command.has_roster()) join(node, command.roster());
  if (command.has_end_node()) end_node(node);
  for (int slot = 0; slot < options_.slots; ++slot) {
    if (command.has_stop()) worker(rank_of(slot)).stop = true;
    if (!command.has_abort()) continue;
    const std::uint64_t generation = command.abort().generation();
    after(0.01, 0.5, rank_of(slot),
          [this, rank = rank_of(slot), generation](Worker&) { leave(rank, generation); });
  }
}

// ---------------------------------------------------------------- processes

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
  if (!target.hung && !target.slow)
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

// ---------------------------------------------------------------- generations

void SimulatedCluster::join(int number, const protocol::Roster& roster) {
  Generation& generation = generations_[roster.generation()];
  if (generation.pids.empty()) {
    generation.pids.resize(static_cast<std::size_t>(options_.nodes * options_.slots));
    generation.step = roster.step();
  }
  for (int slot = 0; slot < options_.slots; ++slot) {
    const int rank = number * options_.slots + slot;
    Worker& member = worker(rank);
    if (!member.alive) {
      generation.broken = true;
      continue;
    }
    generation.pids[static_cast<std::size_t>(rank)] = member.pid;
    member.generation = roster.generation();
    if (member.held != roster.step()) member.held = -1;  // being overwritten from here on
    after(0.01, 0.3, rank, [this, rank, generation = roster.generation()](Worker& joining) {
      if (joining.generation == generation) joined(rank);
    });
  }
  if (generation.broken) break_generation(roster.generation(), control::kNobody);
}

void SimulatedCluster::joined(int rank) {
  Worker& member = worker(rank);
  Generation& generation = generations_.at(member.generation);
  if (generation.broken) return;
  member.held = generation.step;
  if (++generation.joined < options_.nodes * options_.slots) return;
  FromWorker said;
  said.mutable_restored()->set_generation(member.generation);
  if (worker(0).alive && !worker(0).hung) say(0, std::move(said));
  if (generation.step < options_.steps) return schedule_commit(member.generation);
  const std::uint64_t number = member.generation;
  for (int each = 0; each < options_.nodes * options_.slots; ++each)
    save(each, number, generation.step);
  generation.last = true;
}

void SimulatedCluster::schedule_commit(std::uint64_t generation) {
  time_.after(time_.uniform(0.05, 0.3), [this, generation] { commit(generation); });
}

// The reduction after which the step counts: all members took part.
void SimulatedCluster::commit(std::uint64_t number) {
  Generation& generation = generations_.at(number);
  for (std::size_t rank = 0; rank < generation.pids.size(); ++rank)
    if (alive(static_cast<int>(rank), generation.pids[rank]) == nullptr) generation.broken = true;
  if (generation.broken) return;
  ++generation.step;
  generation.applied = 0;
  generation.last = generation.step == options_.steps;
  for (int rank = 0; rank < options_.nodes * options_.slots; ++rank) {
    generation.last = generation.last || worker(rank).stop;
    worker(rank).passed = generation.step;
    after(0.001, 0.1, rank, [this, rank, number](Worker&) { apply(rank, number); });
  }
}

void SimulatedCluster::apply(int rank, std::uint64_t number) {
  Worker& member = worker(rank);
  if (member.generation != number || member.passed < 0) return;
  Generation& generation = generations_.at(number);
  member.held = member.passed;
  member.passed = -1;
  if (rank == 0) {
    FromWorker said;
    said.mutable_step()->set_generation(number);
    said.mutable_step()->set_step(member.held);
    said.mutable_step()->set_seconds(0.1);
    say(0, std::move(said));
  }
  if (generation.last || member.held % options_.checkpoint_every == 0)
    save(rank, number, member.held);
  const bool all = ++generation.applied == options_.nodes * options_.slots;
  if (all && !generation.last) schedule_commit(number);
}

// Written in the background: also when the generation is over.
void SimulatedCluster::save(int rank, std::uint64_t number, std::int64_t step) {
  const bool fails = time_.chance(options_.disk_fails);
  after(0.02, 0.8, rank, [this, rank, number, step, fails](Worker& saving) {
    FromWorker said;
    if (fails) {
      said.mutable_save_failed()->set_generation(number);
      said.mutable_save_failed()->set_step(step);
    } else {
      said.mutable_shard_saved()->set_generation(number);
      said.mutable_shard_saved()->set_step(step);
      said.mutable_shard_saved()->set_shard(fmt::format("{}", step));
    }
    say(rank, std::move(said));
    if (saving.generation == number && generations_.at(number).last &&
        generations_.at(number).step == step)
      finish(rank, number, step);
  });
}

void SimulatedCluster::finish(int rank, std::uint64_t number, std::int64_t step) {
  FromWorker said;
  said.mutable_finished()->set_generation(number);
  said.mutable_finished()->set_step(step);
  say(rank, std::move(said));
}

// Some members notice that one is gone before anybody tells them.
void SimulatedCluster::break_generation(std::uint64_t number, int culprit) {
  if (number == 0) return;
  Generation& generation = generations_.at(number);
  if (culprit != control::kNobody && std::exchange(generation.broken, true)) return;
  for (int rank = 0; rank < options_.nodes * options_.slots; ++rank) {
    if (rank == culprit || worker(rank).generation != number || !time_.chance(0.5)) continue;
    after(0.05, 1.5, rank, [this, rank, number, culprit](Worker& member) {
      if (member.generation != number || member.slow) return;
      FromWorker said;
      said.mutable_fault()->set_generation(number);
      said.mutable_fault()->set_kind(culprit == control::kNobody ? "aborted" : "peer died");
      said.mutable_fault()->set_peer(culprit);
      say(rank, std::move(said));
      leave(rank, number);
    });
  }
}

void SimulatedCluster::leave(int rank, std::uint64_t number) {
  Worker& member = worker(rank);
  if (member.generation != number || member.slow) return;
  if (member.passed >= 0 && time_.chance(0.5)) member.held = member.passed;
  member.passed = -1;
  member.generation = 0;
  generations_.at(number).broken = true;
  FromWorker said;
  protocol::Candidate& candidate = *said.mutable_candidate();
  candidate.set_left_generation(number);
  candidate.set_held_step(member.held);
  if (member.held > 0) {
    candidate.mutable_last_step()->set_generation(number);
    candidate.mutable_last_step()->set_step(member.held);
    candidate.mutable_last_step()->set_seconds(0.1);
  }
  say(rank, std::move(said));
}

// The settle rule, from what the workers really hold.
void SimulatedCluster::check_source(const protocol::Roster& roster) {
  std::int64_t newest = -1;
  for (const protocol::Place& place : roster.places()) {
    const Worker& member = worker(place.rank());
    newest = std::max(newest, member.held);
    if (place.held_step() != member.held)
      controller_->violate(fmt::format("rank {} holds step {}, its place says {}", place.rank(),
                                       member.held, place.held_step()));
  }
  const std::int64_t expected = std::max({newest, controller_->committed_step(), std::int64_t{0}});
  if (roster.step() != expected)
    controller_->violate(fmt::format("generation {} begins at step {} instead of {}",
                                     roster.generation(), roster.step(), expected));
  if (roster.source() == protocol::Roster::REPLICA &&
      worker(roster.source_rank()).held != roster.step())
    controller_->violate("the source does not hold the step");
}

// ---------------------------------------------------------------- failures

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
  } else if (which < 0.62) {
    for (int each = 0; each < ranks; ++each) kill(each);
  } else if (which < 0.7) {
    hang(rank);
  } else if (which < 0.75) {
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

#include <algorithm>

#include "tests/simulation/simulated_cluster.h"

namespace phalanx::simulation {

using protocol::NodeCommand;
using protocol::NodeReport;

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

}  // namespace phalanx::simulation

#include "launcher/control/agent_links.h"

namespace phalanx::control {

bool AgentLinks::accept(int node, const protocol::NodeReport& report) {
  Node& entry = nodes_[static_cast<std::size_t>(node)];
  entry.outbox.acknowledge(report.acknowledged());
  if (report.sequence() == 0) return false;
  owe(node);
  return entry.inbox.accept(report.sequence());
}

void AgentLinks::owe(int node) {
  Node& entry = nodes_[static_cast<std::size_t>(node)];
  if (entry.owes_acknowledgement) return;
  entry.owes_acknowledgement = true;
  owing_.push_back(node);
}

void AgentLinks::acknowledge() {
  for (const int number : owing_) {
    Node& node = nodes_[static_cast<std::size_t>(number)];
    node.owes_acknowledgement = false;
    node.acknowledged = node.inbox.last();
    if (node.connection) node.connection->send(nullptr, 0, node.acknowledged);
  }
  owing_.clear();
}

void AgentLinks::push(const Send& send) {
  const auto kind = std::make_shared<const std::string>(send.command->SerializeAsString());
  if (send.node != kAllNodes) return push_to(nodes_[static_cast<std::size_t>(send.node)], kind);
  for (Node& node : nodes_) push_to(node, kind);
}

void AgentLinks::push_to(Node& node, const std::shared_ptr<const std::string>& kind) {
  const Outgoing& command = node.outbox.push({kind});
  if (node.connection) node.connection->send(kind, command.sequence(), node.acknowledged);
}

void AgentLinks::attach(int node, std::shared_ptr<AgentConnection> connection) {
  Node& entry = nodes_[static_cast<std::size_t>(node)];
  if (entry.connection) entry.connection->close();
  entry.connection = std::move(connection);
  for (const Outgoing& command : entry.outbox.unacknowledged())
    entry.connection->send(command.kind, command.sequence(), entry.acknowledged);
}

bool AgentLinks::detach(int node, const AgentConnection* connection) {
  Node& entry = nodes_[static_cast<std::size_t>(node)];
  if (entry.connection.get() != connection) return false;
  entry.connection.reset();
  return true;
}

void AgentLinks::close_all() {
  for (Node& node : nodes_)
    if (node.connection) node.connection->close();
}

}  // namespace phalanx::control

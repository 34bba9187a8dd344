#include "launcher/control/decision.h"

namespace phalanx::control {

void Decision::send(int node, protocol::NodeCommand command) {
  actions.emplace_back(
      Send{node, std::make_shared<const protocol::NodeCommand>(std::move(command))});
}

Record& Decision::record(const std::string& kind, const std::string& reason) {
  Record record;
  record.kind = kind;
  record.generation = state.generation;
  record.reason = reason;
  return std::get<Record>(actions.emplace_back(std::move(record)));
}

Record& Decision::record_rank(const std::string& kind, int rank, const std::string& reason) {
  Record& line = record(kind, reason);
  line.rank = rank;
  if (rank != kNobody) line.node = state.node_of(rank);
  return line;
}

Record& Decision::record_node(const std::string& kind, int node, const std::string& reason) {
  Record& line = record(kind, reason);
  line.node = node;
  return line;
}

void Decision::start_worker(int rank) {
  Worker& worker = state.workers[static_cast<std::size_t>(rank)];
  worker.state = Worker::State::kStarting;
  worker.was_member = worker.killed = false;
  worker.pid = 0;
  worker.start_time = 0;
  protocol::NodeCommand command;
  command.mutable_start_worker()->set_slot(state.slot_of(rank));
  send(state.node_of(rank), std::move(command));
}

void Decision::kill_worker(int rank) {
  Worker& worker = state.workers[static_cast<std::size_t>(rank)];
  if (worker.pid == 0 || worker.killed) return;
  worker.killed = true;
  protocol::NodeCommand command;
  command.mutable_kill_worker()->set_slot(state.slot_of(rank));
  command.mutable_kill_worker()->set_pid(worker.pid);
  send(state.node_of(rank), std::move(command));
}

}  // namespace phalanx::control

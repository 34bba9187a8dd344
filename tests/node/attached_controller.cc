#include "tests/node/attached_controller.h"

#include <gtest/gtest.h>

#include <utility>

namespace phalanx::node {

using protocol::NodeCommand;
using protocol::NodeReport;

void ControllerState::command(NodeCommand command) {
  {
    const std::lock_guard lock(mutex_);
    outbox_.push(std::move(command));
  }
  changed_.notify_all();
}

NodeReport ControllerState::await(const std::function<bool(const Report&)>& wanted,
                                  std::size_t from) {
  std::unique_lock lock(mutex_);
  Report found;
  const auto come = [&] {
    for (std::size_t i = from; i < reports_.size(); ++i)
      if (wanted(reports_[i])) {
        found = reports_[i];
        return true;
      }
    return false;
  };
  if (!changed_.wait_for(lock, std::chrono::seconds(60), come)) {
    std::string all;
    for (const auto& report : reports_) all += report.ShortDebugString() + "\n";
    ADD_FAILURE() << "the report has not come; these have:\n" << all.substr(0, 5000);
  }
  return found;
}

std::vector<NodeReport> ControllerState::reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

AttachedController::AttachedController(ControllerState& state, std::string token)
    : state_(state), token_(std::move(token)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

AttachedController::~AttachedController() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status AttachedController::Attach(grpc::ServerContext* context, Stream* stream) {
  const auto& metadata = context->client_metadata();
  const auto token = metadata.find("phalanx-token");
  if (token == metadata.end() || token->second != token_ || !metadata.contains("phalanx-node"))
    return {grpc::StatusCode::UNAUTHENTICATED, "no token, no node"};
  ++connections_;
  std::atomic<bool> over = false;
  std::thread writer([&] { write_commands(*stream, over); });
  NodeReport report;
  while (stream->Read(&report)) {
    const std::lock_guard lock(state_.mutex_);
    state_.outbox_.acknowledge(report.acknowledged());
    if (state_.inbox_.accept(report.sequence())) state_.reports_.push_back(report);
    state_.changed_.notify_all();
  }
  over = true;
  state_.changed_.notify_all();
  writer.join();
  return grpc::Status::OK;
}

// Each new connection begins with what is not acknowledged; bare acknowledgements follow reports.
void AttachedController::write_commands(Stream& stream, const std::atomic<bool>& over) {
  std::uint64_t sent = 0, acknowledged = 0;
  std::unique_lock lock(state_.mutex_);
  while (!over) {
    std::vector<NodeCommand> commands;
    for (const auto& command : state_.outbox_.unacknowledged())
      if (command.sequence() > sent) commands.push_back(command);
    if (commands.empty() && acknowledged != state_.inbox_.last()) commands.emplace_back();
    acknowledged = state_.inbox_.last();
    lock.unlock();
    for (auto& command : commands) {
      if (command.sequence() > 0) sent = command.sequence();
      command.set_acknowledged(acknowledged);
      stream.Write(command);
    }
    lock.lock();
    if (commands.empty()) state_.changed_.wait_for(lock, std::chrono::milliseconds(50));
  }
}

}  // namespace phalanx::node

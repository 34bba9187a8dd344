#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "launcher/control/control.grpc.pb.h"
#include "protocol/messages.pb.h"
#include "protocol/reliable_link.h"

namespace phalanx::node {

// What outlives a controller: the reports taken in so far, and the commands not yet obeyed.
class ControllerState {
 public:
  using Report = protocol::NodeReport;

  void command(protocol::NodeCommand command);
  // The first report, from number `from` on, that `wanted` accepts; fails the test, and returns an
  // empty one, when none has come within 60 s.
  Report await(const std::function<bool(const Report&)>& wanted, std::size_t from = 0);
  std::vector<Report> reports() const;

 private:
  friend class AttachedController;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  protocol::Outbox<protocol::NodeCommand> outbox_;
  protocol::Inbox inbox_;
  std::vector<Report> reports_;
};

// A controller without opinions, in the test's own process: serves Attach for one node.
class AttachedController final : public control::Control::Service {
 public:
  AttachedController(ControllerState& state, std::string token);
  ~AttachedController() override;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

  grpc::Status Attach(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<protocol::NodeCommand, protocol::NodeReport>* stream) override;

 private:
  using Stream = grpc::ServerReaderWriter<protocol::NodeCommand, protocol::NodeReport>;
  void write_commands(Stream& stream, const std::atomic<bool>& over);

  ControllerState& state_;
  std::string token_;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace phalanx::node

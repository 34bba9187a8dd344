#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <string>

#include "launcher/control/control.grpc.pb.h"
#include "protocol/reliable_link.h"

namespace phalanx::control {

// A node's keeper and agent as the controller sees them, over real gRPC. Waiting for a command
// gives up after 20 seconds.
class FakeNode {
 public:
  explicit FakeNode(int node) : node_(node) {}
  ~FakeNode() { detach(); }

  void attach(const std::string& address, const std::string& token);
  void detach();
  // Sends everything that is not acknowledged.
  void send_again();
  void report(protocol::NodeReport report);
  void say(std::int64_t pid, protocol::FromWorker said);

  // The next command that was not seen before. A default one when the stream ended.
  protocol::NodeCommand next();
  // Reads until everything reported is acknowledged.
  void await_acknowledgement();
  grpc::Status finish() { return stream_->Finish(); }

 private:
  bool read(protocol::NodeCommand& command);

  const int node_;
  protocol::Outbox<protocol::NodeReport> outbox_;
  protocol::Inbox inbox_;
  std::deque<protocol::NodeCommand> received_;
  std::unique_ptr<Control::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<protocol::NodeReport, protocol::NodeCommand>> stream_;
};

}  // namespace phalanx::control

#include "tests/control/fake_node.h"

namespace phalanx::control {

using protocol::NodeCommand;
using protocol::NodeReport;

void FakeNode::attach(const std::string& address, const std::string& token) {
  detach();
  stub_ = Control::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  context_ = std::make_unique<grpc::ClientContext>();
  context_->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  context_->AddMetadata("phalanx-token", token);
  context_->AddMetadata("phalanx-node", std::to_string(node_));
  stream_ = stub_->Attach(context_.get());
}

void FakeNode::detach() {
  if (context_) context_->TryCancel();
  stream_.reset();
  context_.reset();
}

void FakeNode::send_again() {
  for (NodeReport report : outbox_.unacknowledged()) {
    report.set_acknowledged(inbox_.last());
    stream_->Write(report);
  }
}

void FakeNode::report(NodeReport report) {
  report = outbox_.push(std::move(report));
  report.set_acknowledged(inbox_.last());
  stream_->Write(report);
}

void FakeNode::say(std::int64_t pid, protocol::FromWorker said) {
  NodeReport message;
  message.mutable_worker_report()->set_slot(0);
  message.mutable_worker_report()->set_pid(pid);
  *message.mutable_worker_report()->mutable_report() = std::move(said);
  report(std::move(message));
}

bool FakeNode::read(NodeCommand& command) {
  if (!stream_->Read(&command)) return false;
  outbox_.acknowledge(command.acknowledged());
  if (inbox_.accept(command.sequence())) received_.push_back(command);
  return true;
}

NodeCommand FakeNode::next() {
  NodeCommand command;
  while (received_.empty())
    if (!read(command)) return {};
  command = std::move(received_.front());
  received_.pop_front();
  return command;
}

void FakeNode::await_acknowledgement() {
  NodeCommand command;
  while (!outbox_.unacknowledged().empty() && read(command)) {
  }
}

}  // namespace phalanx::control

#include "launcher/node/uplink.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "launcher/control/control.grpc.pb.h"

namespace phalanx::node {

using protocol::NodeCommand;
using protocol::NodeReport;

namespace {

constexpr auto kConnectDeadline = std::chrono::seconds(1);
constexpr Duration kLastingConnection = std::chrono::seconds(5);
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
constexpr Duration kLongestPause = std::chrono::seconds(1);

std::shared_ptr<grpc::Channel> make_channel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);          // the cluster's own network
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no back-off from older channels
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Uplink::Uplink(Identity identity, Handlers handlers)
    : identity_(std::move(identity)), handlers_(std::move(handlers)), thread_([this] { run(); }) {}

Uplink::~Uplink() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (connection_ != nullptr) connection_->TryCancel();
  }
  changed_.notify_all();
  thread_.join();
}

void Uplink::move_to(const std::string& address) {
  {
    const std::lock_guard lock(mutex_);
    if (address == address_) return;
    address_ = address;
    if (connection_ != nullptr) connection_->TryCancel();
  }
  changed_.notify_all();
}

void Uplink::send(NodeReport report) {
  {
    const std::lock_guard lock(mutex_);
    if (!connected_) return;
    to_send_.push_back(std::move(report));
  }
  changed_.notify_all();
}

void Uplink::run() {
  Duration pause = kFirstPause;
  for (std::string address = await_address(); !address.empty(); address = await_address()) {
    const TimePoint began = Clock::now();
    serve(address);
    const bool lasted = Clock::now() - began > kLastingConnection;
    pause = lasted ? kFirstPause : std::min(2 * pause, kLongestPause);
    wait_before_next_attempt(pause);
  }
}

// Empty when the end has come.
std::string Uplink::await_address() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !address_.empty(); });
  return stopping_ ? std::string() : address_;
}

void Uplink::wait_before_next_attempt(Duration pause) {
  std::unique_lock lock(mutex_);
  const std::string before = address_;
  changed_.wait_for(lock, pause, [&] { return stopping_ || address_ != before; });
}

void Uplink::serve(const std::string& address) {
  const auto channel = make_channel(address);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectDeadline)) return;
  const auto stub = control::Control::NewStub(channel);
  grpc::ClientContext context;
  context.AddMetadata("phalanx-token", identity_.token);
  context.AddMetadata("phalanx-node", std::to_string(identity_.node));
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || address_ != address) return;
    connection_ = &context;
    connected_ = true;
    to_send_.clear();
  }
  const auto stream = stub->Attach(&context);
  handlers_.on_connected();
  std::thread reader([&] {
    NodeCommand command;
    while (stream->Read(&command)) handlers_.on_command(command);
    {
      const std::lock_guard lock(mutex_);
      connected_ = false;
    }
    changed_.notify_all();
  });
  write_reports(*stream);
  context.TryCancel();
  reader.join();
  const grpc::Status status = stream->Finish();
  log::info("the connection to the controller at {} has ended: {}", address,
            status.error_message());
  const std::lock_guard lock(mutex_);
  connection_ = nullptr;
}

template <class Stream>
void Uplink::write_reports(Stream& stream) {
  while (true) {
    NodeReport report;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !connected_ || !to_send_.empty(); });
      if (stopping_ || !connected_) return;
      report = std::move(to_send_.front());
      to_send_.pop_front();
    }
    if (!stream.Write(report)) return;
  }
}

}  // namespace phalanx::node

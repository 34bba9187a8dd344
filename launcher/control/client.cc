#include "launcher/control/client.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>

#include "launcher/control/control.grpc.pb.h"
#include "launcher/error.h"

namespace phalanx::control {
namespace {

constexpr auto kHelp = "see whether the run is still there: phalanx status";
constexpr auto kCallPatience = std::chrono::seconds(10);

std::shared_ptr<grpc::Channel> connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  // A watch may be silent for long: pings notice when the controller's host has gone.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct Client::Channel {
  Channel(const std::string& address, std::string token)
      : address(address), token(std::move(token)), stub(Control::NewStub(connect(address))) {}

  void prepare(grpc::ClientContext& context) const { context.AddMetadata("phalanx-token", token); }
  void expect_ok(const grpc::Status& status) const {
    if (status.ok()) return;
    switch (status.error_code()) {
      case grpc::StatusCode::UNAVAILABLE:
        throw launcher::LaunchError(fmt::format("no controller answers at {}", address), kHelp);
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        throw launcher::LaunchError(
            fmt::format("the controller at {} did not answer in time", address), kHelp);
      default:
        throw launcher::LaunchError(
            fmt::format("the controller at {}: {}", address, status.error_message()), kHelp);
    }
  }
  template <class Request, class Answer>
  Answer call(grpc::Status (Control::Stub::*method)(grpc::ClientContext*, const Request&, Answer*),
              const Request& request) const {
    grpc::ClientContext context;
    prepare(context);
    context.set_deadline(std::chrono::system_clock::now() + kCallPatience);
    Answer answer;
    expect_ok((stub.get()->*method)(&context, request, &answer));
    return answer;
  }

  const std::string address;
  const std::string token;
  const std::unique_ptr<Control::Stub> stub;
};

Client::Client(const std::string& address, const std::string& token)
    : channel_(std::make_unique<Channel>(address, token)) {}

Client::~Client() = default;

Ended Client::watch(const std::function<void(const Happening&)>& see) {
  grpc::ClientContext context;
  channel_->prepare(context);
  const auto stream = channel_->stub->Watch(&context, WatchRequest());
  Happening happening;
  while (stream->Read(&happening)) {
    see(happening);
    if (happening.has_ended()) return happening.ended();
  }
  channel_->expect_ok(stream->Finish());
  throw launcher::LaunchError(
      fmt::format("the controller at {} left before the job had ended", channel_->address));
}

Status Client::status() { return channel_->call(&Control::Stub::GetStatus, StatusRequest()); }

void Client::stop(StopRequest::Why why) {
  StopRequest request;
  request.set_why(why);
  channel_->call(&Control::Stub::StopJob, request);
}

TraceAnswer Client::trace(const TraceRequest& request) {
  return channel_->call(&Control::Stub::TraceSteps, request);
}

void Client::report_node_lost(int node, const std::string& how) {
  NodeLostRequest request;
  request.set_node(node);
  request.set_how(how);
  channel_->call(&Control::Stub::ReportNodeLost, request);
}

}  // namespace phalanx::control

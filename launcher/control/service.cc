#include "launcher/control/service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <openssl/crypto.h>

#include <charconv>

#include "launcher/control/reactors.h"
#include "launcher/error.h"

namespace phalanx::control {
namespace {

template <class Base>
using RawAttach = Control::WithRawCallbackMethod_Attach<Base>;
using CallbackService = RawAttach<Control::WithCallbackMethod_Watch<
    Control::WithCallbackMethod_GetStatus<Control::WithCallbackMethod_StopJob<
        Control::WithCallbackMethod_ReportNodeLost<Control::Service>>>>>;

grpc::string_ref metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto entry = context.client_metadata().find(key);
  return entry == context.client_metadata().end() ? grpc::string_ref() : entry->second;
}

// An answer that is nothing but an error.
template <class Reactor>
class Refusal final : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

class ServiceServer::Service final : public CallbackService {
 public:
  Service(std::string token, int nodes, ServiceHandler& handler)
      : token_(std::move(token)), nodes_(nodes), handler_(handler) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Attach(
      grpc::CallbackServerContext* context) override {
    using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
    if (!is_authentic(*context)) return new Refusal<Reactor>(unauthenticated());
    const grpc::string_ref text = metadata(*context, "phalanx-node");
    int node = -1;
    std::from_chars(text.data(), text.data() + text.size(), node);
    if (!is_node(node)) return new Refusal<Reactor>(no_such_node());
    return AttachReactor::create(handler_, node);
  }

  grpc::ServerWriteReactor<Happening>* Watch(grpc::CallbackServerContext* context,
                                             const WatchRequest*) override {
    if (!is_authentic(*context))
      return new Refusal<grpc::ServerWriteReactor<Happening>>(unauthenticated());
    return WatchReactor::create(handler_);
  }

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const StatusRequest*,
                                      control::Status* answer) override {
    auto* reactor = context->DefaultReactor();
    if (!is_authentic(*context)) {
      reactor->Finish(unauthenticated());
      return reactor;
    }
    handler_.status([=](const control::Status& status) {
      *answer = status;
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* StopJob(grpc::CallbackServerContext* context,
                                    const StopRequest* request, StopAnswer*) override {
    auto* reactor = context->DefaultReactor();
    if (!is_authentic(*context))
      reactor->Finish(unauthenticated());
    else
      handler_.stop(*request, [=] { reactor->Finish(grpc::Status::OK); });
    return reactor;
  }

  grpc::ServerUnaryReactor* ReportNodeLost(grpc::CallbackServerContext* context,
                                           const NodeLostRequest* request,
                                           NodeLostAnswer*) override {
    auto* reactor = context->DefaultReactor();
    if (!is_authentic(*context))
      reactor->Finish(unauthenticated());
    else if (!is_node(request->node()))
      reactor->Finish(no_such_node());
    else
      handler_.node_lost(*request, [=] { reactor->Finish(grpc::Status::OK); });
    return reactor;
  }

 private:
  bool is_authentic(const grpc::CallbackServerContext& context) const {
    const grpc::string_ref shown = metadata(context, "phalanx-token");
    return shown.size() == token_.size() &&
           CRYPTO_memcmp(shown.data(), token_.data(), token_.size()) == 0;
  }
  bool is_node(int node) const { return node >= 0 && node < nodes_; }
  static grpc::Status unauthenticated() {
    return {grpc::StatusCode::UNAUTHENTICATED, "this call does not carry the run's token"};
  }
  grpc::Status no_such_node() const {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            fmt::format("expected a node from 0 to {}", nodes_ - 1)};
  }

  const std::string token_;
  const int nodes_;
  ServiceHandler& handler_;
};

ServiceServer::ServiceServer(const std::string& host, const std::string& token, int nodes,
                             ServiceHandler& handler)
    : service_(std::make_unique<Service>(token, nodes, handler)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(host + ":0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service_.get());
  builder.SetMaxReceiveMessageSize(-1);
  // Pings find peers that went without a word; idle ones are welcome to send them.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0)
    throw launcher::LaunchError(fmt::format("the controller cannot listen on {}", host),
                                "see that this address is one of this host's");
  address_ = fmt::format("{}:{}", host, port);
}

void ServiceServer::shut_down(double seconds) {
  server_->Shutdown(std::chrono::system_clock::now() +
                    std::chrono::milliseconds(static_cast<int>(seconds * 1000)));
}

ServiceServer::~ServiceServer() { shut_down(0); }

}  // namespace phalanx::control

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
using CallbackService =
    RawAttach<Control::WithCallbackMethod_Watch<Control::WithCallbackMethod_GetStatus<
        Control::WithCallbackMethod_StopJob<Control::WithCallbackMethod_TraceSteps<
            Control::WithCallbackMethod_ReportNodeLost<Control::Service>>>>>>;

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
    const grpc::string_ref text = metadata(*context, "phalanx-node");
    int node = -1;
    std::from_chars(text.data(), text.data() + text.size(), node);
    const grpc::Status refusal = refusal_of(*context, node);
    if (!refusal.ok()) return new Refusal<Reactor>(refusal);
    return AttachReactor::create(handler_, node);
  }

  grpc::ServerWriteReactor<Happening>* Watch(grpc::CallbackServerContext* context,
                                             const WatchRequest*) override {
    const grpc::Status refusal = refusal_of(*context);
    if (!refusal.ok()) return new Refusal<grpc::ServerWriteReactor<Happening>>(refusal);
    return WatchReactor::create(handler_);
  }

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const StatusRequest*,
                                      control::Status* answer) override {
    return unless(refusal_of(*context), context, [&](auto* reactor) {
      handler_.status([=](const control::Status& status) {
        *answer = status;
        reactor->Finish(grpc::Status::OK);
      });
    });
  }

  grpc::ServerUnaryReactor* StopJob(grpc::CallbackServerContext* context,
                                    const StopRequest* request, StopAnswer*) override {
    return unless(refusal_of(*context), context, [&](auto* reactor) {
      handler_.stop(*request, [=] { reactor->Finish(grpc::Status::OK); });
    });
  }

  grpc::ServerUnaryReactor* TraceSteps(grpc::CallbackServerContext* context,
                                       const TraceRequest* request, TraceAnswer* answer) override {
    return unless(refusal_of(*context), context, [&](auto* reactor) {
      handler_.trace(*request, [=](const TraceAnswer& said) {
        *answer = said;
        reactor->Finish(grpc::Status::OK);
      });
    });
  }

  grpc::ServerUnaryReactor* ReportNodeLost(grpc::CallbackServerContext* context,
                                           const NodeLostRequest* request,
                                           NodeLostAnswer*) override {
    return unless(refusal_of(*context, request->node()), context, [&](auto* reactor) {
      handler_.node_lost(*request, [=] { reactor->Finish(grpc::Status::OK); });
    });
  }

 private:
  // Why the call is not answered; OK when it is. `node`: what it names, 0 when it names none.
  grpc::Status refusal_of(const grpc::CallbackServerContext& context, int node = 0) const {
    const grpc::string_ref shown = metadata(context, "phalanx-token");
    if (shown.size() != token_.size() ||
        CRYPTO_memcmp(shown.data(), token_.data(), token_.size()) != 0)
      return {grpc::StatusCode::UNAUTHENTICATED, "this call does not carry the run's token"};
    if (node < 0 || node >= nodes_)
      return {grpc::StatusCode::INVALID_ARGUMENT,
              fmt::format("expected a node from 0 to {}", nodes_ - 1)};
    return grpc::Status::OK;
  }

  template <class Answer>
  static grpc::ServerUnaryReactor* unless(const grpc::Status& refusal,
                                          grpc::CallbackServerContext* context, Answer answer) {
    auto* reactor = context->DefaultReactor();
    if (refusal.ok())
      answer(reactor);
    else
      reactor->Finish(refusal);
    return reactor;
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

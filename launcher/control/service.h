#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "launcher/control/agent_links.h"
#include "launcher/control/control.grpc.pb.h"

namespace phalanx::control {

// Somebody who watches the job. Sending never blocks.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void send(std::shared_ptr<const Happening> happening) = 0;
  // Ends the stream after what was sent.
  virtual void close() = 0;
};

// Whom the service passes calls on to. Called on gRPC's threads; must not block. An answer may be
// given later, on any thread, and is given exactly once.
class ServiceHandler {
 public:
  virtual ~ServiceHandler() = default;
  virtual void attached(int node, std::shared_ptr<AgentConnection> connection) = 0;
  virtual void said(int node, protocol::NodeReport report) = 0;
  virtual void detached(int node, std::shared_ptr<AgentConnection> connection) = 0;
  virtual void watch(std::shared_ptr<Watcher> watcher) = 0;
  virtual void unwatch(std::shared_ptr<Watcher> watcher) = 0;
  virtual void status(std::function<void(const Status&)> answer) = 0;
  virtual void stop(StopRequest request, std::function<void()> answer) = 0;
  virtual void trace(TraceRequest request, std::function<void(const TraceAnswer&)> answer) = 0;
  virtual void node_lost(NodeLostRequest request, std::function<void()> answer) = 0;
};

// The controller's gRPC server. Calls without the run's token, and those that name no node of the
// job, are refused.
class ServiceServer {
 public:
  // Listens on `host` at a free port. Throws LaunchError.
  ServiceServer(const std::string& host, const std::string& token, int nodes,
                ServiceHandler& handler);
  // Streams that are still open get `seconds` to end.
  void shut_down(double seconds);
  ~ServiceServer();

  const std::string& address() const { return address_; }  // host:port

 private:
  class Service;

  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace phalanx::control

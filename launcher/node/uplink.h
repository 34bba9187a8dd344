#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "protocol/messages.pb.h"

namespace grpc {
class ClientContext;
}

namespace phalanx::node {

// The agent's connection to the controller, made again whenever it breaks or the controller moves.
// What is sent while it breaks is lost; on_connected is the moment to send it again.
class Uplink {
 public:
  struct Identity {
    int node = 0;
    std::string token;
  };
  // Called on the uplink's threads, never two at once.
  struct Handlers {
    std::function<void()> on_connected;
    std::function<void(const protocol::NodeCommand&)> on_command;
  };

  Uplink(Identity identity, Handlers handlers);
  ~Uplink();

  // host:port; the connection to where it was before is given up.
  void move_to(const std::string& address);
  // Never blocks. Dropped when there is no connection.
  void send(protocol::NodeReport report);

 private:
  void run();
  std::string await_address();
  // One connection, from its making to its end.
  void serve(const std::string& address);
  template <class Stream>
  void write_reports(Stream& stream);
  void wait_before_next_attempt(Duration pause);

  const Identity identity_;
  const Handlers handlers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string address_;
  std::deque<protocol::NodeReport> to_send_;
  grpc::ClientContext* connection_ = nullptr;  // of the stream that is open; guarded
  bool connected_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace phalanx::node

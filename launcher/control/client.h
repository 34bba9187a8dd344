#pragma once

#include <functional>
#include <memory>
#include <string>

#include "launcher/control/control.pb.h"

namespace phalanx::control {

// Calls to the controller of a run, at `address` (host:port), with the run's token. Methods may be
// called on several threads. All throw LaunchError: the controller cannot be reached within a few
// seconds, refuses the token, or went away.
class Client {
 public:
  Client(const std::string& address, const std::string& token);
  ~Client();

  // Calls `see` for what happens, the state so far first, until the job has ended; returns its end.
  Ended watch(const std::function<void(const Happening&)>& see);
  Status status();
  void stop(StopRequest::Why why);
  TraceAnswer trace(const TraceRequest& request);
  void report_node_lost(int node, const std::string& how);

 private:
  struct Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace phalanx::control

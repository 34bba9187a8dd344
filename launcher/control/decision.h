#pragma once

#include <string>
#include <vector>

#include "launcher/control/action.h"
#include "launcher/control/state.h"

namespace phalanx::control {

// One decision in the making: the state, the time, and the actions so far.
class Decision {
 public:
  Decision(State& state, double now) : state(state), now(now) {}

  State& state;
  const double now;
  std::vector<Action> actions;

  void send(int node, protocol::NodeCommand command);
  void send_all(protocol::NodeCommand command) { send(kAllNodes, std::move(command)); }
  // A line of events.jsonl about the current generation; the caller adds to it before the next
  // action.
  Record& record(const std::string& kind, const std::string& reason = {});
  Record& record_rank(const std::string& kind, int rank, const std::string& reason = {});
  Record& record_node(const std::string& kind, int node, const std::string& reason = {});

  // Starts a worker in a slot that holds none.
  void start_worker(int rank);
  // Ends the process in a slot for certain; its exit will be reported. Nothing if that is under way
  // or no process is known.
  void kill_worker(int rank);
};

}  // namespace phalanx::control

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/process.h"
#include "launcher/node/daemon.h"
#include "launcher/node/frame_peer.h"
#include "protocol/messages.pb.h"

namespace phalanx::node {

// The places that mpirun has for this node's workers, where the backend is MPI. mpirun, a daemon of
// the first node's keeper, starts a placeholder for each rank (`phalanx mpi-place`). It brings the
// environment that MPI knows the place by, so that a worker from the nursery can take it, and ends
// as that worker does; mpirun then takes all others down and is started again. On the other side a
// worker whose placeholder has gone has no place any more.
class MpiPlaces {
 public:
  struct Handlers {
    std::function<void()> on_place;         // one is free
    std::function<void(int slot)> on_lost;  // a worker's place is no longer there
    std::function<void(const std::string& why)> on_given_up;
    std::function<void(protocol::NodeReport)> report;
  };

  MpiPlaces(EventLoop& loop, const protocol::KeeperStart& node, Handlers handlers);

  void start();
  // Whether a worker can be started in the slot now. Without mpirun: always.
  bool is_free(int slot) const;
  // A worker takes the slot; what it adds to its environment.
  std::vector<std::string> take(int slot);
  // The worker that has taken it will never come.
  void give_back(int slot);
  // The worker in the slot has ended.
  void leave(int slot, const ExitStatus& status);

  Daemon& mpirun() { return mpirun_; }

 private:
  enum class State { kUnknown, kFree, kTaken, kLeft };
  struct Placeholder {
    std::unique_ptr<FramePeer> peer;
    State state = State::kUnknown;  // until it has said which place it holds
    protocol::MpiPlace place;
  };
  void welcome();
  void said(int number, const Frame& frame);
  void gone(int number);
  const Placeholder* find(int slot, State state) const;
  Placeholder* find(int slot, State state);

  EventLoop& loop_;
  const protocol::KeeperStart& node_;
  Handlers handlers_;
  Daemon mpirun_;
  FileDescriptor listener_;
  std::map<int, Placeholder> placeholders_;  // in the order in which they came
  int arrivals_ = 0;
};

// The life of a placeholder, which mpirun has started with `environment`: the socket's name and the
// slots of each node are its arguments. Returns its exit status. Throws SystemError.
int run_mpi_place(const std::string& socket, int slots,
                  const std::vector<std::string>& environment);

}  // namespace phalanx::node

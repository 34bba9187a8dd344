#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "comm/native/strand.h"
#include "comm/nccl/operation.h"

namespace phalanx::comm::nccl {

// One NCCL communicator and the stream that its operations run on, one after another.
struct Channel {
  enum class State {
    kMeeting,    // the id is on its way
    kForming,    // NCCL connects the ranks
    kReady,      // takes an operation
    kLaunching,  // NCCL has not yet put its last operation on the stream
  };
  struct Memory {
    void* begin = nullptr;
    std::size_t bytes = 0;
    void* registration = nullptr;
    bool registered = false;
  };

  // `ranks`: generation ranks in the order of the communicator; `rank`: our place among them.
  Channel(std::vector<int> ranks, int rank, std::uint64_t key, Duration patience)
      : ranks(std::move(ranks)), rank(rank), key(key), meeting(patience) {}

  bool idle() const { return state == State::kReady && waiting == 0 && launched.empty(); }

  const std::vector<int> ranks;
  const int rank;
  const std::uint64_t key;
  State state = State::kMeeting;
  Strand meeting;
  std::vector<int> neighbours;  // generation ranks that the id comes from or goes to
  // What all its ranks form it with, as its rank 0 says.
  struct Charter {
    ncclUniqueId id{};
    int most_blocks = 0;  // of an operation: must be the same on all; 0: NCCL's own choice
  } charter;
  TimePoint form_by;  // kForming: deadline
  ncclComm_t communicator = nullptr;
  CommunicationStream stream;
  std::size_t waiting = 0;                                 // operations not launched yet
  std::deque<std::shared_ptr<PendingOperation>> launched;  // or launching: the last one
  std::vector<Memory> memory;
};

}  // namespace phalanx::comm::nccl

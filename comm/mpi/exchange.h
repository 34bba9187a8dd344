#pragma once

#include <mpi.h>

#include <cstddef>
#include <vector>

#include "base/clock.h"

namespace phalanx::comm {

// Messages to and from other ranks of the generation that are under way together. They begin when
// they are named, in that order; between two ranks messages of one tag arrive in the order in which
// both have named them. Buffers are in use until advance() has returned true; after a failure no
// call of MPI may follow, and then nothing touches them either.
class Exchange {
 public:
  // `addresses`: rank in MPI_COMM_WORLD by generation rank.
  explicit Exchange(const std::vector<int>& addresses) : addresses_(addresses) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void send(int peer, int tag, const std::byte* data, std::size_t bytes);
  void receive(int peer, int tag, std::byte* data, std::size_t bytes);

  // Lets MPI work; true when all messages are done. Throws Ending: kMismatch when a message has
  // another size than was named here, kPeerDied when MPI fails.
  bool advance();
  // A peer whose message is not done.
  int waits_for() const;
  // Since when none of them has got done.
  TimePoint idle_since() const { return idle_since_; }

 private:
  struct Message {
    int peer;
    std::size_t bytes;
    bool incoming;
  };
  void look_at(std::size_t index, const MPI_Status& status, bool failed);

  const std::vector<int>& addresses_;
  std::vector<Message> messages_;
  std::vector<MPI_Request> requests_;
  std::vector<int> finished_;  // for MPI_Testsome
  std::vector<MPI_Status> statuses_;
  TimePoint idle_since_ = Clock::now();
};

}  // namespace phalanx::comm

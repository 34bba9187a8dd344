#pragma once

#include <map>
#include <optional>
#include <vector>

#include "comm/communicator.h"
#include "comm/native/network.h"
#include "comm/native/node_memory.h"

namespace phalanx::comm {

// Finds out who is to blame when a wait takes long. A rank that waits says so, and whom it blames,
// in its Control and on its control connections; a rank that says nothing is the culprit itself.
class Watch {
 public:
  Watch(const Membership& membership, std::vector<int> local_ranks, NodeMemory& memory);

  // Where `rank` sits in the node's memory; empty if it is on another node.
  std::optional<int> local_index(int rank) const;
  // Why waiting for this rank of the node is hopeless: its process has ended or left; empty while
  // it lives.
  std::optional<Ending> death(int rank);
  // A rank of the node whose process has ended: a better reason than the connections that others
  // closed because of it.
  std::optional<Ending> any_death();
  // Who keeps `peer` from taking part: itself, or the rank it has been waiting for.
  int culprit(int peer, const Network* network) const;
  // Says that this rank waits, and for whom; -1: it does not wait.
  void publish(int blames);

 private:
  std::optional<Ending> process_ended(int rank, int local);
  // A culprit went silent about a deadline ago; whoever said something since then lives.
  Duration fresh() const { return membership_.deadline * 3 / 4; }

  const Membership& membership_;
  std::vector<int> local_ranks_;  // generation ranks by place in the node's memory
  NodeMemory& memory_;
  std::map<int, FileDescriptor> processes_;  // by place: pidfd_open(2)
};

}  // namespace phalanx::comm

#pragma once

#include <cstdint>
#include <span>

#include "comm/native/group_members.h"
#include "comm/native/meeting.h"

namespace phalanx::comm {

// Messages between two ranks of a group: through a mailbox on one node, a connection between nodes.
// Those of different posts do not meet.
class Messages {
 public:
  Messages(Engine& engine, const GroupMembers& members, Meeting& meeting, Post post,
           std::uint64_t key);

  // Whatever sending to `peer` needs of this rank's memory. Throws SystemError.
  void prepare_send(int peer);
  Task send(Strand& strand, std::span<const std::byte> data, int peer, std::uint64_t sequence);
  Task receive(Strand& strand, std::span<std::byte> data, int peer, std::uint64_t sequence);

 private:
  struct Header {
    std::uint64_t sequence;
    std::uint64_t bytes;
  };
  int member_of(int peer) const;  // place on this node; -1: on another
  Task put(Strand& strand, std::span<const std::byte> data, int member);
  Task take(Strand& strand, std::span<std::byte> data, int member, std::uint64_t sequence);
  Task send_far(Strand& strand, std::span<const std::byte> data, int rank, std::uint64_t sequence);
  Task receive_far(Strand& strand, std::span<std::byte> data, int rank, std::uint64_t sequence);
  void expect(const Header& expected, const Header& found, int rank) const;

  Engine& engine_;
  const GroupMembers& members_;
  Meeting& meeting_;
  Post post_;
  std::uint64_t channel_;
};

}  // namespace phalanx::comm

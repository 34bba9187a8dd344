#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "comm/native/engine.h"
#include "comm/native/signature.h"
#include "comm/native/strand.h"

namespace phalanx::comm {

// What a rank tells its group's members on the node when it starts a collective.
struct Announcement {
  Signature signature;
  std::uint64_t input = 0;  // where in the node's memory the data is; 0: elsewhere
};

// A buffer for messages from one rank to another of its node. Counters count slots ever used.
struct Mailbox {
  static constexpr std::uint64_t kSlots = 4;
  static constexpr std::size_t kPayload = 32 << 10;
  struct Slot {
    std::uint64_t bytes;  // of the whole message, in its first slot
    std::uint64_t place;  // where in the node's memory the message is; 0: in the payloads
    alignas(64) std::byte payload[kPayload];
  };
  alignas(64) std::atomic<std::uint64_t> written;  // by the sender
  alignas(64) std::atomic<std::uint64_t> read;     // by the receiver
  Slot slots[kSlots];
};

// What a mailbox carries: messages, or pieces of a collective that moves between pairs of ranks.
enum class Post { kMessages, kCollectives };

// A rank's part of a group in the node's memory. Two slots are enough: who starts operation k has
// seen everybody start k-1, so everybody has finished k-2.
struct GroupBlock {
  static constexpr std::size_t kShort = 4096;  // bytes of data that travel in the slot itself
  struct Slot {
    Announcement announcement;
    alignas(64) std::byte payload[kShort];
  };
  std::uint64_t key;
  std::uint64_t next;                  // the rank's block before this one; 0: none
  std::atomic<std::uint64_t> staging;  // offset; 0: none yet
  std::uint64_t mailboxes;             // offset of arrays, by Post: per member an offset or 0
  alignas(64) std::atomic<std::uint64_t> phase;
  Slot slots[2];
};

// How a group's members on one node meet. Each goes through the same phases; a member that has
// posted phase p has done all that comes before.
class Meeting {
 public:
  static constexpr std::size_t kStaging = 256 << 10;  // bytes of a buffer, to stay in a cache

  // `members`: their generation ranks; `self`: our place among them; `buffers`: how many a member
  // has for inputs, and as many for results. Publishes our block. Throws SystemError when the arena
  // is used up.
  Meeting(Engine& engine, std::vector<int> members, int self, std::uint64_t key,
          std::size_t buffers);

  Task attach(Strand& strand);  // until all members' blocks are known
  Task attach(Strand& strand, int member);
  std::uint64_t post();  // returns the phase
  Task all(Strand& strand, std::uint64_t phase);

  int size() const { return static_cast<int>(members_.size()); }
  int self() const { return self_; }
  int rank_of(int member) const { return members_[static_cast<std::size_t>(member)]; }
  GroupBlock::Slot& slot(int member, std::uint64_t sequence) const;

  void ensure_staging();  // ours; throws SystemError
  std::byte* staged_input(int member, std::size_t chunk) const;
  std::byte* staged_result(int member, std::size_t chunk) const;

  Mailbox& outgoing(int member, Post post);  // ours; throws SystemError
  // Offset of the mailbox to us, or 0.
  const std::atomic<std::uint64_t>& incoming(int member, Post post) const;
  Mailbox& at(std::uint64_t offset) const { return *engine_.memory().at<Mailbox>(offset); }
  void ring(int member) const;

 private:
  std::uint64_t find(int member) const;
  std::atomic<std::uint64_t>* mailboxes(int member, Post post) const;

  Engine& engine_;
  std::vector<int> members_;
  std::vector<int> places_;  // of the members in the node's memory
  int self_;
  std::uint64_t key_;
  std::size_t buffers_;
  std::mutex mutex_;  // staging is made by who starts an operation or by who drives
  std::vector<GroupBlock*> blocks_;
};

}  // namespace phalanx::comm

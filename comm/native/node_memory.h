#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "base/memory_file.h"
#include "comm/ending.h"
#include "comm/native/doorbell.h"

namespace phalanx::comm {

// The memory that the ranks of a node share in one generation:
//   header | a Control per local rank | an arena per local rank
// Local ranks are the node's ranks in the order of Membership.peers. Made new (zeroed) for each
// generation, so that a process of an older one writes where nobody looks any more.

// Bytes of the memory file (base/memory_file.h) for a node. Each rank's arena holds what its groups
// allocate, and for every group that needs them: 16 KiB of control, 1 MiB of staging (operations
// on memory not from Group::allocate; 2 MiB between nodes), 130 KiB per neighbour that it sends to.
std::size_t node_memory_bytes(int ranks_on_node, std::size_t bytes_per_rank);

// Ends the generation for every rank of the node: called by the node's keeper, whose mapping it is,
// when `dead_rank` (rank in the generation, -1: unknown) has died. Survivors wake and throw
// CommError{kPeerDied, dead_rank}. Only the first cause counts.
void abort_node_memory(std::span<std::byte> mapping, int dead_rank);

// What a rank shows to the others of its node.
struct alignas(64) Control {
  std::atomic<std::uint64_t> joined;  // 1 when the process has joined
  std::atomic<std::int32_t> pid;
  std::atomic<std::uint64_t> start_time;
  std::atomic<std::uint32_t> left;  // its communicator was destroyed
  alignas(64) Doorbell doorbell;
  // While it waits for a peer: when it last said so (steady-clock nanoseconds, 0: it waits for
  // nobody), and the generation rank that it holds to be the cause.
  alignas(64) std::atomic<std::int64_t> waiting_beat;
  std::atomic<std::int32_t> blames;
  // Its groups: a list through GroupBlock::next, newest first, of offsets in the node's memory.
  alignas(64) std::atomic<std::uint64_t> groups;  // how many it has published
  std::atomic<std::uint64_t> newest_group;
};

class NodeMemory {
 public:
  // The mapping of a memory file made with node_memory_bytes(ranks, ...). Throws SystemError when
  // it is too small.
  NodeMemory(const FileDescriptor& file, int ranks, int local_rank);

  int ranks() const { return ranks_; }
  int local_rank() const { return local_rank_; }
  Control& control(int local) const;
  Control& own() const { return control(local_rank_); }
  void ring_all() const;

  // For an emulated link out of this node (emulated_link.h): when it is free again.
  std::atomic<std::int64_t>& link_free_at() const;

  // The first ending wins and wakes everybody.
  void end(const Ending& ending);
  std::optional<Ending> ending() const;

  // Zeroed, 64-byte aligned, from this rank's arena. Throws SystemError when it is used up.
  std::span<std::byte> allocate(std::size_t bytes);

  // Places in the node's memory as offsets, which mean the same in every process; 0 is nowhere.
  bool holds(const void* start, std::size_t bytes) const;
  std::uint64_t offset_of(const void* place) const;
  template <typename T>
  T* at(std::uint64_t offset) const {
    return reinterpret_cast<T*>(mapping_.bytes().data() + offset);
  }

 private:
  MemoryMapping mapping_;
  int ranks_;
  int local_rank_;
  std::size_t arena_bytes_;
  std::mutex mutex_;      // guards used_: groups allocate from any thread
  std::size_t used_ = 0;  // of the own arena
};

}  // namespace phalanx::comm

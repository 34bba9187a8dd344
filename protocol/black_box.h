#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace phalanx::protocol {

// What a worker was doing, in memory that outlives it: one page per slot, shared with the node's
// keeper, which owns it. The worker writes with relaxed stores and never waits; whoever reads may
// see a step and a phase of neighbouring moments, never a torn value.
enum class Phase : std::uint32_t {
  kStarting,
  kWaitingForRoster,
  kConnecting,
  kRestoring,
  kData,
  kForward,
  kBackward,
  kCommit,  // the reduction after which the step counts
  kOptimizer,
  kValidation,
  kSaving,
  kMeasuring,  // what the processor can do
  kLeaving,
};
constexpr std::size_t kPhases = static_cast<std::size_t>(Phase::kLeaving) + 1;
const char* phase_name(Phase phase);

// One collective as its rank saw it. Times are steady-clock nanoseconds, 0: not yet.
struct CollectiveRecord {
  std::atomic<std::uint64_t> sequence;   // within the group, from 1; 0: the record is empty
  std::atomic<std::uint32_t> group;      // index in the generation
  std::atomic<std::uint32_t> operation;  // comm's, by number
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::int64_t> issued, started, finished;
};

struct BlackBox {
  static constexpr std::size_t kCollectives = 32;

  std::atomic<std::int64_t>
      heartbeat;  // steady-clock nanoseconds of the last sign of life; 0: none yet
  std::atomic<std::uint64_t> generation;
  std::atomic<std::int64_t> step;  // the step being worked on, from 1
  std::atomic<Phase> phase;
  std::atomic<std::uint64_t>
      collectives_issued;  // the newest record is at (collectives_issued - 1) % kCollectives
  std::array<CollectiveRecord, kCollectives> collectives;
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);
static_assert(sizeof(BlackBox) <= 4096, "a black box is one page");
constexpr std::size_t kBlackBoxBytes = 4096;

// The black box in a mapping of at least kBlackBoxBytes; a zeroed mapping is an empty box.
BlackBox& black_box_in(std::span<std::byte> mapping);

}  // namespace phalanx::protocol

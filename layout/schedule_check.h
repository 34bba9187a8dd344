#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "layout/schedule.h"
#include "layout/schedule_memory.h"

namespace phalanx::layout {

// What a schedule breaks.
enum class Rule : std::uint8_t {
  kComplete,    // every pass and every message of every micro-batch through every chunk, once
  kOrdered,     // nothing before what it needs
  kNoDeadlock,  // all ranks come to the ends of their lists, and messages are the expected ones
  kMemory,      // activations within the bound
  kParameters,  // gathered before use, freed after, as the schedule's policy says
  kGradients,   // reduced when complete, as the schedule's policy says
};

struct Finding {
  Rule rule;
  int rank;
  std::string text;  // what was expected and what was found
};

struct MemoryBound {
  std::vector<StageMemory> stages;  // empty: every stage counts micro-batches
  std::int64_t most = std::numeric_limits<std::int64_t>::max();  // on any rank
};

// What a walk through a schedule shows. It is proven when there are no findings.
struct Proof {
  std::vector<Finding> findings;
  std::vector<std::int64_t> peak_activations;  // by rank
  std::vector<int> peak_gathered;              // by rank: chunks whose parameters are held at once
  // The fewest messages from one rank to another that must be able to wait unreceived, so that no
  // send ever has to wait: 0 means that every send meets its receive. Valid without findings.
  std::size_t channel_capacity = 0;

  bool proven() const { return findings.empty(); }
};
// The channel_capacity of a schedule that comes to its end, whatever else it lacks.
std::size_t channel_capacity(const Schedule& schedule);
Proof check_schedule(const Schedule& schedule, const MemoryBound& bound = {});

}  // namespace phalanx::layout

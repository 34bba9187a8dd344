#pragma once

#include <cstdint>
#include <vector>

#include "layout/schedule.h"

namespace phalanx::layout {

// Activations that one micro-batch keeps on a stage, in any unit (bytes, or layers): from forward
// on `saved`; of these from backward-input until backward-weight `for_weight` (with what it keeps
// of the output's gradient, so it may be more). A recomputed stage keeps `input` from forward to
// recompute, and `saved` from then on. The defaults count micro-batches.
struct StageMemory {
  std::int64_t saved = 1, for_weight = 1, input = 0;
};

// How the activations that a rank holds change with an operation: `before` when it starts, `after`
// when it has ended.
struct MemoryChange {
  std::int64_t before = 0, after = 0;
};
// `stages` has an entry for each stage.
MemoryChange memory_change(const Schedule& schedule, int rank, const Operation& operation,
                           const std::vector<StageMemory>& stages);

// By rank, the most that it ever holds. A rank's order alone decides it, whatever the times.
std::vector<std::int64_t> peak_activations(const Schedule& schedule,
                                           const std::vector<StageMemory>& stages);

}  // namespace phalanx::layout

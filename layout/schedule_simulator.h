#pragma once

#include <cstdint>
#include <vector>

#include "layout/schedule.h"
#include "layout/schedule_memory.h"

namespace phalanx::layout {

// Times of a stage's operations in any whole unit (nanoseconds). A backward pass that is not split
// takes backward_input + backward_weight.
struct StageTimes {
  std::int64_t forward = 1, backward_input = 1, backward_weight = 1;
  std::int64_t recompute = 0, gather = 0, reduce = 0;
};

struct Times {
  std::vector<StageTimes> stages;
  std::int64_t transfer =
      0;  // T_comm: from the end of a pass until another rank can use its result
};

struct Span {
  std::int64_t start = 0, end = 0;
};

// Activations that a rank holds from a time on, counted in `StageMemory`.
struct Level {
  std::int64_t from = 0, held = 0;
};

// When a schedule does what. The outer index is the rank.
struct Timeline {
  std::vector<std::vector<Span>> ranks;         // of each operation, as in Schedule::ranks
  std::vector<std::vector<Level>> activations;  // over time, ascending
  std::vector<std::int64_t> peak_activations;
  std::vector<std::int64_t> busy;  // sum of the rank's passes
  std::int64_t makespan = 0;       // from the first start to the last end of any operation
  // The longest time from a rank's own first start to its own last end. Where no barrier ends a
  // step, the next one begins on each rank when that rank is done, and this is what a step takes.
  std::int64_t longest_rank = 0;

  // Part of the ranks' time without a pass, over the makespan or over the longest rank.
  double bubble() const { return idle(makespan); }
  double bubble_without_barrier() const { return idle(longest_rank); }

 private:
  double idle(std::int64_t length) const;
};

// Times a schedule exactly, in whole numbers. The rules:
// - A rank does one pass at a time, in the order of its list, each as early as it can.
// - A message takes `transfer` from the end of the pass before its send, and costs neither rank
//   time; messages do not wait for each other.
// - Gathers and reduces run beside the passes, one at a time and in order, from when the rank comes
//   to them; a pass waits for the gather of its chunk. Frees take no time.
// The schedule is proven (schedule_check.h). `memory` has an entry for each stage, or is empty:
// micro-batches are counted.
Timeline simulate(const Schedule& schedule, const Times& times,
                  const std::vector<StageMemory>& memory = {});

}  // namespace phalanx::layout

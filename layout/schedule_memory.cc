#include "layout/schedule_memory.h"

#include <algorithm>

#include "base/check.h"

namespace phalanx::layout {

MemoryChange memory_change(const Schedule& schedule, int rank, const Operation& operation,
                           const std::vector<StageMemory>& stages) {
  const auto stage = static_cast<std::size_t>(schedule.stage(rank, operation.chunk));
  const auto& memory = stages.at(stage);
  switch (operation.kind) {
    case OperationKind::kForward:
      return {schedule.recomputed[stage] ? memory.input : memory.saved, 0};
    case OperationKind::kRecompute:
      return {memory.saved - memory.input, 0};
    case OperationKind::kBackward:
      return {0, -memory.saved};
    case OperationKind::kBackwardInput:
      return {0, memory.for_weight - memory.saved};
    case OperationKind::kBackwardWeight:
      return {0, -memory.for_weight};
    default:
      return {};
  }
}

std::vector<std::int64_t> peak_activations(const Schedule& schedule,
                                           const std::vector<StageMemory>& stages) {
  check(stages.size() == static_cast<std::size_t>(schedule.stages()), "memory is given by stage");
  std::vector<std::int64_t> peaks;
  for (int rank = 0; rank < schedule.rank_count(); ++rank) {
    std::int64_t held = 0, peak = 0;
    for (const auto& operation : schedule.ranks[static_cast<std::size_t>(rank)]) {
      const auto change = memory_change(schedule, rank, operation, stages);
      held += change.before;
      peak = std::max(peak, held);
      held += change.after;
      peak = std::max(peak, held);
    }
    peaks.push_back(peak);
  }
  return peaks;
}

}  // namespace phalanx::layout

#include <set>
#include <utility>

#include "base/check.h"
#include "layout/schedule_passes.h"

namespace phalanx::layout {

Schedule with_recompute(Schedule schedule, const std::vector<bool>& stages) {
  check(stages.size() == static_cast<std::size_t>(schedule.stages()), "recompute is set by stage");
  schedule.recomputed = stages;
  for (int rank = 0; rank < schedule.rank_count(); ++rank) {
    auto& list = schedule.ranks[static_cast<std::size_t>(rank)];
    std::vector<Operation> result;
    std::set<std::pair<int, int>> recomputed;
    for (const auto& operation : list) {
      const auto stage = static_cast<std::size_t>(schedule.stage(rank, operation.chunk));
      if (is_backward(operation.kind) && stages[stage] &&
          recomputed.emplace(operation.micro_batch, operation.chunk).second)
        result.push_back({OperationKind::kRecompute, operation.micro_batch, operation.chunk});
      result.push_back(operation);
    }
    list = std::move(result);
  }
  return schedule;
}

}  // namespace phalanx::layout

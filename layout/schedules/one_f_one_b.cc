#include <algorithm>

#include "layout/schedule_builders.h"

namespace phalanx::layout::schedules {

std::vector<Operation> one_f_one_b(const PipelineShape& shape, int rank, int warm_up) {
  const int ahead = std::min(warm_up * (shape.ranks - 1 - rank), shape.micro_batches);
  std::vector<Operation> passes;
  for (int i = 0; i < ahead; ++i) passes.push_back({OperationKind::kForward, i});
  for (int i = 0; i < shape.micro_batches; ++i) {
    if (ahead + i < shape.micro_batches) passes.push_back({OperationKind::kForward, ahead + i});
    passes.push_back({OperationKind::kBackward, i});
  }
  return passes;
}

}  // namespace phalanx::layout::schedules

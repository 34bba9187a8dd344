#include <algorithm>

#include "layout/schedule_builders.h"

namespace phalanx::layout::schedules {

std::vector<Operation> zero_bubble(const PipelineShape& shape, int rank, int warm_up) {
  const int ahead = std::min(warm_up * (shape.ranks - 1 - rank), shape.micro_batches);
  const int put_off = warm_up * rank;  // weight gradients behind input gradients
  std::vector<Operation> passes;
  for (int i = 0; i < ahead; ++i) passes.push_back({OperationKind::kForward, i});
  for (int i = 0; i < shape.micro_batches; ++i) {
    if (ahead + i < shape.micro_batches) passes.push_back({OperationKind::kForward, ahead + i});
    passes.push_back({OperationKind::kBackwardInput, i});
    if (i >= put_off) passes.push_back({OperationKind::kBackwardWeight, i - put_off});
  }
  for (int i = std::max(0, shape.micro_batches - put_off); i < shape.micro_batches; ++i)
    passes.push_back({OperationKind::kBackwardWeight, i});
  return passes;
}

}  // namespace phalanx::layout::schedules

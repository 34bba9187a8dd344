#include "layout/schedule_builders.h"

namespace phalanx::layout::schedules {

std::vector<Operation> no_pipeline(const PipelineShape& shape) {
  std::vector<Operation> passes;
  for (int i = 0; i < shape.micro_batches; ++i) {
    for (int chunk = 0; chunk < shape.chunks; ++chunk)
      passes.push_back({OperationKind::kForward, i, chunk});
    for (int chunk = shape.chunks; chunk-- > 0;)
      passes.push_back({OperationKind::kBackward, i, chunk});
  }
  return passes;
}

}  // namespace phalanx::layout::schedules

#include <algorithm>

#include "layout/schedule_builders.h"

namespace phalanx::layout::schedules {

std::vector<Operation> interleaved(const PipelineShape& shape, int rank) {
  const int total = shape.micro_batches * shape.chunks;
  // The i-th pass of one direction: `turn` counts chunks in the order in which that direction goes
  // through them.
  const auto micro_batch = [&](int i) {
    return i / (shape.ranks * shape.chunks) * shape.ranks + i % shape.ranks;
  };
  const auto turn = [&](int i) { return i / shape.ranks % shape.chunks; };

  const int ahead =
      std::min(2 * (shape.ranks - 1 - rank) + (shape.chunks - 1) * shape.ranks, total);
  std::vector<Operation> passes;
  const auto forward = [&](int i) {
    passes.push_back({OperationKind::kForward, micro_batch(i), turn(i)});
  };
  for (int i = 0; i < ahead; ++i) forward(i);
  for (int i = 0; i < total; ++i) {
    if (ahead + i < total) forward(ahead + i);
    passes.push_back({OperationKind::kBackward, micro_batch(i), shape.chunks - 1 - turn(i)});
  }
  return passes;
}

}  // namespace phalanx::layout::schedules

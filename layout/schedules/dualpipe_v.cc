#include "layout/schedule_builders.h"
#include "layout/schedules/v_passes.h"

namespace phalanx::layout::schedules {
namespace {

// The end of a step: ranks nearer to the turning point still receive gradients of both chunks; from
// the middle on backward passes are split, since the stages before have nothing else to do.
void cool_down(VPasses& passes, int rank, int behind) {
  const int pairs = rank + 1;
  const auto backward = [&](int chunk, bool split) {
    if (split)
      passes.backward_input(chunk);
    else
      passes.backward(chunk);
  };
  for (int i = 0; i < pairs; ++i) {
    backward(1, i >= (pairs + 1) / 2);
    backward(0, i >= pairs / 2);
  }
  for (int i = 0; i < behind; ++i) {
    passes.weight();
    passes.backward_input(0);
  }
  while (passes.owes_weights()) passes.weight();
}

}  // namespace

std::vector<Operation> dualpipe_v(const PipelineShape& shape, int rank) {
  const int behind = shape.ranks - 1 - rank;  // ranks between this one and the turning point
  VPasses passes;
  for (int i = 0; i < 2 * behind; ++i) passes.forward(0);
  for (int i = 0; i < rank + 1; ++i) {
    passes.forward(0);
    passes.forward(1);
  }
  for (int i = 0; i < behind; ++i) {
    passes.backward_input(1);
    passes.weight();
    passes.forward(1);
  }
  for (int i = 0; i < shape.micro_batches - 2 * shape.ranks + rank + 1; ++i) {
    passes.forward(0);
    passes.backward(1);
    passes.forward(1);
    passes.backward(0);
  }
  for (int i = 0; i < behind; ++i) {
    passes.backward(1);
    passes.forward(1);
    passes.backward(0);
  }
  cool_down(passes, rank, behind);
  return std::move(passes).take();
}

}  // namespace phalanx::layout::schedules

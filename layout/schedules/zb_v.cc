#include "layout/schedule_builders.h"
#include "layout/schedules/v_passes.h"

namespace phalanx::layout::schedules {

std::vector<Operation> zb_v(const PipelineShape& shape, int rank) {
  const int behind = shape.ranks - rank;  // ranks from this one to the turning point of the V
  VPasses passes;
  // Warm-up: down the V until the first micro-batch is on its way back.
  for (int i = 0; i < 2 * behind - 1; ++i) passes.forward(0);
  for (int i = 0; i < rank; ++i) {
    passes.forward(1);
    passes.forward(0);
  }
  for (int i = 0; i < behind; ++i) {
    passes.forward(1);
    passes.backward_input(1);
    passes.weight();
  }
  // Steady: the chunks in turn, and what is full is emptied before more comes in.
  while (passes.forwards(1) < shape.micro_batches) {
    if (passes.forwards(0) < shape.micro_batches) passes.forward(0);
    passes.backward_input(0);
    passes.weight();
    passes.forward(1);
    passes.backward_input(1);
    passes.weight();
  }
  // Cool-down: input gradients first, for whom others wait; weight gradients fill the gaps.
  for (int i = 0; i < rank; ++i) {
    passes.backward_input(0);
    passes.backward_input(1);
  }
  for (int i = 0; i < behind; ++i) {
    passes.backward_input(0);
    passes.weight();
  }
  while (passes.owes_weights()) passes.weight();
  return std::move(passes).take();
}

}  // namespace phalanx::layout::schedules

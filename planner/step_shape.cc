#include "planner/step_shape.h"

#include "base/divide_up.h"

namespace phalanx::planner {

StepShape step_shape(const config::Job& job, const layout::MeshSizes& mesh) {
  const auto sequences = divide_up(job.train.global_batch, mesh.data);
  StepShape shape;
  shape.micro_batches = static_cast<int>(divide_up(sequences, job.train.micro_batch));
  shape.micro_batch = layout::micro_batch_shape(job, mesh);
  shape.tokens = sequences * shape.micro_batch.length;
  return shape;
}

}  // namespace phalanx::planner

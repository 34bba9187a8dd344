#include "planner/step_shape.h"

#include <algorithm>

#include "layout/expert_memory.h"

namespace phalanx::planner {
namespace {

std::int64_t divide_up(std::int64_t number, std::int64_t by) { return (number + by - 1) / by; }

}  // namespace

StepShape step_shape(const config::Job& job, const layout::MeshSizes& mesh) {
  const auto sequences = divide_up(job.train.global_batch, mesh.data);
  const auto length = job.model.sequence_length / mesh.context;
  StepShape shape;
  shape.micro_batches = static_cast<int>(divide_up(sequences, job.train.micro_batch));
  shape.micro_batch = {std::min(sequences, job.train.micro_batch), length, mesh.tensor, 0};
  auto& sharing = job.parallel.context_attention == "ulysses" ? shape.micro_batch.exchange_ranks
                                                              : shape.micro_batch.ring_ranks;
  sharing = mesh.context;
  shape.micro_batch.expert_ranks = mesh.expert;
  shape.micro_batch.expert_chunk_tokens = job.parallel.expert_chunk_tokens;
  shape.micro_batch.expert_rows = layout::even_expert_rows(job.model, shape.micro_batch);
  shape.tokens = sequences * length;
  return shape;
}

}  // namespace phalanx::planner

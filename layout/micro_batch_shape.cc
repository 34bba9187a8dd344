#include "layout/micro_batch_shape.h"

#include <algorithm>

#include "base/divide_up.h"

namespace phalanx::layout {
namespace {

// Of one exchange in n chunks, a part of 1 / n at the beginning and at the end has nothing to hide
// behind; below so many tokens a chunk costs more than it hides.
constexpr std::int64_t kChunksWorthHiding = 4, kTokensWorthAChunk = 64;

std::int64_t chunks_of(std::int64_t tokens, std::int64_t most_tokens) {
  return std::max<std::int64_t>({1, divide_up(tokens, most_tokens),
                                 std::min(kChunksWorthHiding, tokens / kTokensWorthAChunk)});
}

}  // namespace

std::int64_t MicroBatchShape::words(std::int64_t vocabulary) const {
  return vocabulary * (tensor_rank + 1) / tensor_ranks - vocabulary * tensor_rank / tensor_ranks;
}

MicroBatchShape micro_batch_shape(const config::Job& job, const MeshSizes& mesh) {
  MicroBatchShape shape;
  shape.sequences = std::min(divide_up(job.train.global_batch, mesh.data), job.train.micro_batch);
  shape.length = job.model.sequence_length / mesh.context;
  shape.tensor_ranks = mesh.tensor;
  const bool exchanges_heads = job.parallel.context_attention == "ulysses";
  (exchanges_heads ? shape.exchange_ranks : shape.ring_ranks) = mesh.context;
  shape.expert_ranks = mesh.expert;
  shape.expert_rows = shape.own_tokens() * job.model.experts_per_token;
  shape.expert_chunks = chunks_of(shape.own_tokens(), job.parallel.expert_chunk_tokens);
  return shape;
}

}  // namespace phalanx::layout

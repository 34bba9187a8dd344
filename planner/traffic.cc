#include "planner/traffic.h"

#include <algorithm>

namespace phalanx::planner {
namespace {

using layout::OperationKind;

// Of `bytes` in all, over a ring of `ranks`.
std::int64_t of_gather(std::int64_t bytes, std::int64_t ranks) {
  return bytes * (ranks - 1) / ranks;
}

// How often a block gathers or scatters all tokens' vectors on the tensor axis.
struct Moves {
  std::int64_t forward, backward;
};
constexpr Moves kEmbedding{1, 1};  // the sum of the parts of the table; its gradient
// Into the columns and out of the rows; both ways back, and the input once more for the weights.
constexpr Moves kLayerBlock{2, 3};
constexpr Moves kHead{1, 2};

// Numbers a token that the vocabulary's parts sum over: the largest logit, the target's, and the
// sum of exponentials.
constexpr std::int64_t kLossNumbers = 3;

std::int64_t on_tensor_axis(const config::Job& job, const layout::StageLayers& layers,
                            bool recomputed, const StepShape& shape) {
  const auto ranks = shape.micro_batch.tensor_ranks;
  const auto each = layout::element_bytes(job);
  const std::int64_t forwards = recomputed ? 2 : 1;
  std::int64_t moves = 0, bytes = 0;
  const auto add = [&](Moves block, std::int64_t blocks) {
    moves += blocks * (forwards * block.forward + block.backward);
  };
  if (layers.embedding) add(kEmbedding, 1);
  add(kLayerBlock, 2 * (layers.last - layers.first));
  if (layers.head) {
    add(kHead, 1);
    bytes += forwards * 2 * of_gather(kLossNumbers * shape.tokens * each.sums, ranks);
  }
  return bytes + moves * of_gather(shape.tokens * job.model.width * each.values, ranks);
}

// A layer's attention: keys and values go around the ring, and once more with their gradients
// behind them (parallel/ring_attention.h), or heads are exchanged for sequence and back
// (parallel/ulysses_attention.h).
std::int64_t on_context_axis(const config::Job& job, const layout::StageLayers& layers,
                             bool recomputed, const StepShape& shape, std::int64_t ranks) {
  const auto& model = job.model;
  const auto each = layout::element_bytes(job);
  const auto tensor_ranks = shape.micro_batch.tensor_ranks;
  const auto heads = model.heads / tensor_ranks;
  const auto kv_heads = std::max<std::int64_t>(1, model.kv_heads / tensor_ranks);
  const auto head = shape.tokens * (model.width / model.heads);  // elements, of all tokens
  std::int64_t forward = 2 * kv_heads * head * each.values;
  std::int64_t backward = forward + 2 * kv_heads * head * each.sums;
  if (shape.micro_batch.exchange_ranks > 1) {
    const auto share = 2 * heads / ranks + 2 * std::max<std::int64_t>(1, kv_heads / ranks);
    forward = backward = share * head * each.values;
  }
  const bool again = recomputed || shape.micro_batch.attention_recomputed;
  return (layers.last - layers.first) * (ranks - 1) * ((again ? 2 : 1) * forward + backward);
}

// Of a bucket among its replicas, with as many gathers and reduces as its chunk has.
std::int64_t among_replicas(const layout::Bucket& bucket, layout::ElementBytes each,
                            std::int64_t gathers, std::int64_t reduces) {
  const auto replicas = std::ssize(bucket.replicas);
  const auto gradients =
      of_gather(bucket.flat.elements * layout::wire_bytes(bucket, each), replicas);
  if (!bucket.sharded) return 2 * gradients;
  return (bucket.gradients_in_runs ? reduces : 1) * gradients +
         (bucket.parameters_in_runs ? gathers : 1) *
             of_gather(bucket.flat.elements * each.values, replicas);
}

}  // namespace

Traffic traffic(const config::Job& job, const layout::Partition& partition,
                const std::vector<layout::Bucket>& buckets, const layout::Schedule& schedule,
                int pipeline_rank, const StepShape& shape) {
  const auto each = layout::element_bytes(job);
  const auto boundary =
      shape.tokens / shape.micro_batch.tensor_ranks * job.model.width * each.values;
  Traffic sent;
  for (int chunk = 0; chunk < schedule.chunks; ++chunk) {
    const int stage = schedule.stage(pipeline_rank, chunk);
    const auto s = static_cast<std::size_t>(stage);
    sent.tensor += on_tensor_axis(job, partition.stages[s], schedule.recomputed[s], shape);
    sent.context += on_context_axis(job, partition.stages[s], schedule.recomputed[s], shape,
                                    partition.mesh.sizes().context);
    const bool to_next = stage + 1 < schedule.stages() && schedule.crosses(pipeline_rank, chunk, 1);
    const bool to_previous = stage > 0 && schedule.crosses(pipeline_rank, chunk, -1);
    sent.pipeline += boundary * (int{to_next} + int{to_previous});
  }
  const auto& operations = schedule.ranks[static_cast<std::size_t>(pipeline_rank)];
  std::vector<std::int64_t> gathers(static_cast<std::size_t>(schedule.chunks)), reduces = gathers;
  for (const auto& operation : operations) {
    const auto chunk = static_cast<std::size_t>(operation.chunk);
    if (operation.kind == OperationKind::kGather) ++gathers[chunk];
    if (operation.kind == OperationKind::kReduce) ++reduces[chunk];
  }
  for (const auto& bucket : buckets) {
    const auto chunk = static_cast<std::size_t>(bucket.chunk);
    sent.data += among_replicas(bucket, each, gathers[chunk], reduces[chunk]);
  }
  return sent;
}

}  // namespace phalanx::planner

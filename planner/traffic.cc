#include "planner/traffic.h"

#include <algorithm>

#include "layout/expert_memory.h"
#include "layout/recompute.h"

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

// How often the parts of a stage compute forward: once more where they are recomputed.
struct Forwards {
  std::int64_t attention = 1, rest = 1;
};
Forwards forwards_of(layout::Recompute recompute) {
  return {recompute == layout::Recompute::kNone ? 1 : 2,
          recompute == layout::Recompute::kFull ? 2 : 1};
}

// The loads of sequences that `ranks` have parts of, for the loss that balances experts.
std::int64_t of_loads(const config::Job& job, std::int64_t layers, std::int64_t forwards,
                      const StepShape& shape, std::int64_t ranks) {
  if (job.model.experts == 0 || job.model.router.balance_loss == 0) return 0;
  const auto numbers = shape.tokens / shape.micro_batch.length * job.model.experts;
  return layers * forwards * 2 * of_gather(numbers * layout::element_bytes(job).sums, ranks);
}

std::int64_t on_tensor_axis(const config::Job& job, const layout::StageLayers& layers,
                            Forwards forwards, const StepShape& shape) {
  const auto ranks = shape.micro_batch.tensor_ranks;
  const auto each = layout::element_bytes(job);
  const auto count = layers.last - layers.first;
  std::int64_t moves = 0;
  const auto add = [&](Moves block, std::int64_t blocks, std::int64_t times) {
    moves += blocks * (times * block.forward + block.backward);
  };
  auto bytes = of_loads(job, count, forwards.rest, shape, ranks);
  if (layers.embedding) add(kEmbedding, 1, forwards.rest);
  add(kLayerBlock, count, forwards.attention);
  // Tokens go to experts from where they are.
  if (job.model.experts == 0) add(kLayerBlock, count, forwards.rest);
  if (layers.head) {
    add(kHead, 1, forwards.rest);
    bytes += forwards.rest * 2 * of_gather(kLossNumbers * shape.tokens * each.sums, ranks);
  }
  return bytes + moves * of_gather(shape.tokens * job.model.width * each.values, ranks);
}

// A layer's attention: keys and values go around the ring, and once more with their gradients
// behind them (parallel/ring_attention.h), or heads are exchanged for sequence and back
// (parallel/ulysses_attention.h).
std::int64_t on_context_axis(const config::Job& job, const layout::StageLayers& layers,
                             Forwards forwards, const StepShape& shape, std::int64_t ranks) {
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
  const auto count = layers.last - layers.first;
  return count * (ranks - 1) * (forwards.attention * forward + backward) +
         of_loads(job, count, forwards.rest, shape, ranks);
}

// Choices of own tokens that leave for the experts of other ranks, and results of theirs that go
// back.
struct Choices {
  std::int64_t even, most;
};
Choices choices_sent(const config::Model& model, const StepShape& shape) {
  const auto tokens = shape.tokens / shape.micro_batch.tensor_ranks;
  const auto ranks = shape.micro_batch.expert_ranks, chosen = model.experts_per_token;
  const auto at_home = std::min(chosen, model.experts / ranks);
  return {2 * of_gather(tokens * chosen, ranks),
          tokens * (chosen - at_home) + tokens * at_home * (ranks - 1)};
}

// The rows that each rank is to expect, by chunk and expert.
std::int64_t of_announcements(const config::Model& model, const StepShape& shape) {
  const auto ranks = shape.micro_batch.expert_ranks;
  const auto counts = shape.micro_batch.expert_chunks * model.experts;
  return shape.micro_batches * of_gather(counts * std::int64_t{sizeof(std::int64_t)}, ranks);
}

Choices on_expert_axis(const config::Job& job, const layout::StageLayers& layers, Forwards forwards,
                       const StepShape& shape) {
  if (shape.micro_batch.expert_ranks == 1) return {0, 0};
  const auto count = layers.last - layers.first;
  const auto bytes = [&](std::int64_t choices) {
    const auto rows = choices * job.model.width * layout::element_bytes(job).values;
    return count * (forwards.rest * (rows + of_announcements(job.model, shape)) + rows);
  };
  const auto [even, most] = choices_sent(job.model, shape);
  return {bytes(even), bytes(most)};
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
    const auto& layers = partition.stages[s];
    const auto forwards = forwards_of(layout::recompute_of(job.parallel, stage));
    sent.tensor += on_tensor_axis(job, layers, forwards, shape);
    sent.context += on_context_axis(job, layers, forwards, shape, partition.mesh.sizes().context);
    const auto [even, most] = on_expert_axis(job, layers, forwards, shape);
    sent.expert += even;
    sent.expert_most += most;
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

#include "tests/runtime/deliberate_faults.h"

#include <algorithm>
#include <utility>

namespace phalanx::runtime {
namespace {

using comm::Operation;
using Axis = WatchedAxis;
using config::Job;

constexpr std::ptrdiff_t kWidth = 32;  // of a token's row in the small job

// What arrives instead.
void nothing(Arrived a) { std::ranges::copy(a.before, a.result.begin()); }
void own_part(Arrived a) {
  std::ranges::copy(
      a.data.subspan(static_cast<std::size_t>(a.rank) * a.result.size(), a.result.size()),
      a.result.begin());
}
void twice(Arrived a) {
  for (auto& x : a.result) x *= 2;
}
void half(Arrived a) {
  for (auto& x : a.result) x /= 2;
}
void zeros(Arrived a) { std::ranges::fill(a.result, 0); }
void first_again(Arrived a) { std::ranges::copy(a.first, a.result.begin()); }
void last_row_zeroed(Arrived a) {
  std::ranges::fill(a.result.last(std::min<std::size_t>(a.result.size(), kWidth)), 0);
}
std::size_t slice(const Arrived& a) { return a.result.size() / static_cast<std::size_t>(a.slices); }
void rotated(Arrived a) {
  std::ranges::rotate(a.result, a.result.begin() + static_cast<std::ptrdiff_t>(slice(a)));
}
void last_slice_zeroed(Arrived a) { std::ranges::fill(a.result.last(slice(a)), 0); }

std::shared_ptr<const Fault> going_wrong(Fault fault) {
  return std::make_shared<const Fault>(std::move(fault));
}

template <int ranks>
void data(Job& job) {
  job.parallel.data = ranks;
}
template <int ranks, int stage>
void zero(Job& job) {
  job.parallel.data = ranks, job.parallel.zero_stage = stage;
}
template <int ranks>
void tensor(Job& job) {
  job.parallel.tensor = ranks;
}
void pipeline(Job& job) { job.parallel.pipeline = 2; }
void gpipe(Job& job) { job.parallel.pipeline = 2, job.parallel.schedule = "gpipe"; }
void zb_v(Job& job) {
  job.parallel.pipeline = 2, job.parallel.schedule = "zb_v", job.parallel.virtual_stages = 2;
}
void tied(Job& job) {
  pipeline(job);
  job.model.preset = "gpt2";
  job.model.kv_heads = job.model.heads;
}
template <int ranks>
void ring(Job& job) {
  job.parallel.context = ranks;
}
void ulysses(Job& job) { job.parallel.context = 2, job.parallel.context_attention = "ulysses"; }
void one_key_head(Job& job) { job.parallel.tensor = 2, job.model.kv_heads = 1; }

// Of a sum over the replicas of a bucket with `tensor`.
std::shared_ptr<const Fault> sum(std::string tensor, std::function<void(Arrived)> result,
                                 int rank = -1) {
  return going_wrong({.axis = Axis::kReplicas,
                      .rank = rank,
                      .tensor = std::move(tensor),
                      .result = std::move(result)});
}
std::shared_ptr<const Fault> every(Axis axis, Operation operation,
                                   std::function<void(Arrived)> result) {
  return going_wrong({.axis = axis, .operation = operation, .result = std::move(result)});
}
std::shared_ptr<const Fault> one(Axis axis, Operation operation, int call,
                                 std::function<void(Arrived)> result, int rank = -1) {
  return going_wrong({.axis = axis,
                      .operation = operation,
                      .first = call,
                      .last = call,
                      .rank = rank,
                      .result = std::move(result)});
}

const std::string kEmbedding = "embedding.weight", kNorm = "layers.0.attention_norm.weight",
                  kQuery = "layers.0.attention.query.weight",
                  kKey = "layers.0.attention.key.weight",
                  kLastQuery = "layers.3.attention.query.weight",  // here the last third begins
    kRouter = "layers.0.ffn.router.weight", kRouterBias = "layers.0.ffn.router.bias",
                  kExpert = "layers.0.ffn.experts.0.gate.weight",
                  kSharedExpert = "layers.0.ffn.shared_expert.gate.weight";
constexpr char kMixtral[] = "mixtral", kQwenMoe[] = "qwen_moe";

std::vector<DeliberateFault> faults_of_sums() {
  return {
      {"a gradient is not summed", kEmbedding, data<2>, sum(kQuery, nothing)},
      {"a gradient is not summed on one rank", kEmbedding, data<2>, sum(kQuery, nothing, 0)},
      {"gradients of norms count twice", kNorm, data<2>, sum(kNorm, twice)},
      {"gradients of norms are averaged, not summed", kNorm, data<2>, sum(kNorm, half)},
      {"gradients are averaged, not summed", kEmbedding, data<2>, sum(kQuery, half)},
      {"a replica's slice of a gradient is lost", kLastQuery, data<3>,
       sum(kQuery, last_slice_zeroed, 2)},
      {"gradients are not summed over context ranks", kEmbedding, ring<2>, sum(kQuery, nothing)},
      {"gradients of norms are not summed over tensor ranks", kNorm, tensor<2>,
       sum(kNorm, nothing)},
      {"gradients of key heads that tensor ranks share are not summed", kKey, one_key_head,
       sum(kKey, nothing)},
      {"a tied embedding's gradient is not summed over stages", kEmbedding, tied,
       sum(kEmbedding, nothing)},
      {"a rank's gradients are missing in the norm", "norm of step 1", zero<3, 1>,
       going_wrong({.axis = Axis::kWorld,
                    .last = 3,
                    .rank = 1,
                    .contribution = [](auto sums) { sums[2] = 0; }})},
      {"a rank's loss is missing", "loss of step 1", data<2>,
       going_wrong({.axis = Axis::kWorld,
                    .last = 0,
                    .rank = 1,
                    .contribution = [](auto sums) { sums[0] = 0; }})},
      {"a rank's tokens are missing", "loss of step 1", data<2>,
       going_wrong({.axis = Axis::kWorld,
                    .last = 0,
                    .rank = 1,
                    .contribution = [](auto sums) { sums[1] = 0; }})},
      {"a rank is missing in the validation", "validation", data<2>,
       going_wrong({.axis = Axis::kWorld, .first = 4, .rank = 1, .contribution = [](auto sums) {
                      std::ranges::fill(sums, 0);
                    }})}};
}

std::vector<DeliberateFault> faults_of_sharding() {
  return {{"reduce-scatter of gradients without the sum", kEmbedding, zero<2, 2>,
           every(Axis::kReplicas, Operation::kReduceScatter, own_part)},
          {"a run's gradients are lost on one rank", kEmbedding, zero<2, 2>,
           one(Axis::kReplicas, Operation::kReduceScatter, 5, zeros, 0)},
          {"stale weights in ZeRO-1", "loss of step 2", zero<2, 1>,
           every(Axis::kReplicas, Operation::kAllGather, first_again)},
          {"stale weights in ZeRO-3", "loss of step 2", zero<2, 3>,
           every(Axis::kReplicas, Operation::kAllGather, first_again)},
          {"gathered slices change places", kEmbedding, zero<3, 3>,
           every(Axis::kReplicas, Operation::kAllGather, rotated)},
          {"a slice of gathered weights is missing", kEmbedding, zero<3, 3>,
           every(Axis::kReplicas, Operation::kAllGather, last_slice_zeroed)}};
}

std::vector<DeliberateFault> faults_of_axes() {
  return {{"tokens gathered by tensor ranks change places", kEmbedding, tensor<2>,
           every(Axis::kTensor, Operation::kAllGather, rotated)},
          {"a tensor rank gathers its own tokens only", kEmbedding, tensor<4>,
           one(Axis::kTensor, Operation::kAllGather, 3, last_slice_zeroed, 1)},
          {"reduce-scatter of tensor ranks without the sum", kEmbedding, tensor<2>,
           every(Axis::kTensor, Operation::kReduceScatter, own_part)},
          {"tensor ranks do not agree on the largest logits", kEmbedding, tensor<2>,
           one(Axis::kTensor, Operation::kAllReduce, 0, nothing)},
          {"cross-entropy without the sums of the other tensor ranks", kEmbedding, tensor<2>,
           one(Axis::kTensor, Operation::kAllReduce, 1, nothing)},
          {"micro-batches' activations change places", kEmbedding, gpipe,
           going_wrong({.axis = Axis::kPipeline,
                        .operation = Operation::kSend,
                        .first = 0,
                        .last = 0,
                        .rank = 0,
                        .swapped = true})},
          {"a stage gets one micro-batch's activations twice", kEmbedding, pipeline,
           one(Axis::kPipeline, Operation::kReceive, 1, first_again, 1)},
          {"a stage's gradient is lost", kEmbedding, pipeline,
           one(Axis::kPipeline, Operation::kReceive, 1, zeros, 0)},
          {"a gradient in the V of zb_v is lost", kEmbedding, zb_v,
           one(Axis::kPipeline, Operation::kReceive, 4, zeros, 0)},
          {"steps of the ring change places", kEmbedding, ring<3>,
           going_wrong({.axis = Axis::kContext,
                        .operation = Operation::kSend,
                        .first = 0,
                        .last = 0,
                        .rank = 0,
                        .swapped = true})},
          // Of the last layer, the first to go back: two hops of keys and values for each of the
          // four layers forward and of its own, then its gradients'.
          {"gradients of keys lose a hop of the ring", kEmbedding, ring<3>,
           one(Axis::kContext, Operation::kReceive, 11, zeros, 0)},
          {"heads come from the wrong ranks", kEmbedding, ulysses,
           every(Axis::kContext, Operation::kAllToAll, rotated)},
          {"gradients of heads are lost on their way back", kEmbedding, ulysses,
           one(Axis::kContext, Operation::kAllToAll, 9, zeros, 1)}};
}

template <const char* preset, int data, int expert>
void experts(Job& job) {
  job.model.preset = preset;
  job.model.experts = 6;
  job.model.experts_per_token = 2;
  if (preset == kQwenMoe) job.model.expert_width = 24;
  job.model.router = {"preset", 0.05, 0.01};
  job.parallel.data = data;
  job.parallel.expert = expert;
}
template <const char* preset, int context>
void experts_in_context(Job& job) {
  experts<preset, 1, 1>(job);
  job.parallel.context = context;
}
void experts_in_chunks(Job& job) {
  experts<kMixtral, 2, 2>(job);
  job.parallel.expert_chunk_tokens = 5;
}

// A tensor's part of a sum alone.
std::shared_ptr<const Fault> part_of_sum(std::string tensor, std::function<void(Arrived)> result,
                                         int rank = -1) {
  return going_wrong({.axis = Axis::kReplicas,
                      .rank = rank,
                      .tensor = std::move(tensor),
                      .tensor_alone = true,
                      .result = std::move(result)});
}

// Each row of tokens becomes the next one.
void next_rows(Arrived a) {
  if (a.result.size() > kWidth) std::ranges::rotate(a.result, a.result.begin() + kWidth);
}

// All to all of a layer, in the order of a forward pass: rows to their experts, and their results
// back; of four layers twice each, then the gradients, from the last layer on.
std::vector<DeliberateFault> faults_of_experts() {
  const auto on_the_way = [](int call, std::function<void(Arrived)> result, int rank = -1) {
    return one(Axis::kExpert, Operation::kAllToAll, call, std::move(result), rank);
  };
  return {{"a rank's experts lose their tokens", kEmbedding, experts<kMixtral, 2, 2>,
           on_the_way(0, zeros, 1)},
          {"an expert's results are lost", kEmbedding, experts<kMixtral, 2, 2>,
           on_the_way(1, last_row_zeroed, 0)},
          {"a chunk's results are lost", kEmbedding, experts_in_chunks, on_the_way(4, zeros, 0)},
          {"tokens come to the wrong experts", kEmbedding, experts<kQwenMoe, 3, 3>,
           on_the_way(0, next_rows)},
          {"tokens get the results of others", kEmbedding, experts<kMixtral, 4, 2>,
           on_the_way(1, next_rows, 2)},
          {"gradients of results are lost on their way to the experts", kEmbedding,
           experts<kMixtral, 2, 2>, on_the_way(8, zeros, 1)},
          {"gradients of tokens are lost on their way back", kEmbedding, experts<kMixtral, 2, 2>,
           on_the_way(9, zeros, 1)},
          {"results are combined with the wrong weights on one rank", kEmbedding,
           experts<kMixtral, 2, 2>, nullptr, nullptr, nullptr,
           [](int rank, Job& job) {
             if (rank == 1) job.model.router.weights = "softmax_of_all";
           }},
          {"the balancing loss counts twice", kEmbedding, experts<kMixtral, 2, 2>, nullptr, nullptr,
           nullptr, [](int, Job& job) { job.model.router.balance_loss *= 2; }},
          {"the balancing loss is missing on one rank", kEmbedding, experts<kQwenMoe, 2, 1>,
           nullptr, nullptr, nullptr,
           [](int rank, Job& job) {
             if (rank == 1) job.model.router.balance_loss = 0;
           }},
          {"the balancing loss knows the choices of own positions only", kEmbedding,
           experts_in_context<kMixtral, 2>, every(Axis::kContext, Operation::kAllReduce, nothing)},
          {"an expert's gradient is not summed", kExpert, experts<kMixtral, 4, 2>,
           sum(kExpert, nothing)},
          {"gradients of experts are summed over ranks that have others", kExpert,
           experts<kMixtral, 4, 2>, nullptr, nullptr, nullptr, nullptr,
           [](int, MeshGroups& groups) {
             for (auto& [bucket, group] : groups.buckets)
               if (bucket.tensors.front().expert >= 0) group = groups.axes.expert;
           }},
          {"the shared expert's gradient is not summed", kSharedExpert, experts<kQwenMoe, 2, 2>,
           part_of_sum(kSharedExpert, nothing)},
          {"a router's gradient is not summed on one rank", kRouter, experts<kMixtral, 2, 2>,
           part_of_sum(kRouter, nothing, 0)},
          {"biases move by a rank's own load", "loss of step 2", experts<kMixtral, 2, 1>,
           part_of_sum(kRouterBias, nothing)},
          {"an expert's load is lost on one rank", "loss of step 4", experts<kMixtral, 2, 1>,
           part_of_sum(
               kRouterBias, [](Arrived a) { a.result[0] = 0; }, 1)}};
}

parallel::MicroBatch sequences(const parallel::MicroBatch& batch, std::int64_t count) {
  return {batch.inputs.narrow(0, 0, count), batch.targets.narrow(0, 0, count)};
}

std::vector<DeliberateFault> faults_of_batches() {
  using Batches = NumberedMicroBatches;
  return {{"a micro-batch is dropped", kEmbedding, data<2>, nullptr,
           [](Rank& self, Batches& batches) {
             if (self.rank == 1) batches.tensors[0] = sequences(batches.tensors[0], 0);
           }},
          {"a sample is dropped", kEmbedding, gpipe, nullptr,
           [](Rank&, Batches& batches) { batches.tensors[1] = sequences(batches.tensors[1], 1); }},
          {"a micro-batch counts twice", kEmbedding, pipeline, nullptr,
           [](Rank&, Batches& batches) { batches.tensors[1] = batches.tensors[0]; }},
          {"two data ranks have the same samples", kEmbedding, data<3>, nullptr,
           [](Rank& self, Batches& batches) {
             if (self.rank == 1) batches = self.data.step(0, 3, 0);
           }},
          {"positions of a context rank are in the wrong order", kEmbedding, ring<2>, nullptr,
           [](Rank& self, Batches& batches) {
             if (self.rank != 1) return;
             for (auto& batch : batches.tensors)
               batch.inputs = batch.inputs.flip(1), batch.targets = batch.targets.flip(1);
           }}};
}

template <void (*layout)(Job&)>
void documents(Job& job) {
  layout(job);
  job.data.attention_mask = "document";
}

// All see all that is before them.
void forget_documents(const parallel::MicroBatch& batch) { batch.first_visible.zero_(); }

std::vector<DeliberateFault> faults_of_masks() {
  using Batches = NumberedMicroBatches;
  const auto on_rank_1 = [](Rank& self, Batches& batches) {
    if (self.rank == 1) std::ranges::for_each(batches.tensors, forget_documents);
  };
  return {
      {"a data rank attends across documents", kEmbedding, documents<data<2>>, nullptr, on_rank_1},
      {"a context rank attends across documents", kEmbedding, documents<ring<2>>, nullptr,
       on_rank_1},
      {"a rank's heads attend across documents", kEmbedding, documents<ulysses>, nullptr,
       on_rank_1},
      {"a tensor rank's heads attend across documents", kEmbedding, documents<tensor<2>>, nullptr,
       on_rank_1},
      {"a stage attends across documents", kEmbedding, documents<pipeline>, nullptr, on_rank_1},
      {"micro-batches have the documents of others", kEmbedding, documents<zb_v>, nullptr,
       [](Rank&, Batches& batches) {
         std::swap(batches.tensors[0].first_visible, batches.tensors[1].first_visible);
       }},
      {"documents begin a token late", kEmbedding, documents<ring<3>>, nullptr,
       [](Rank&, Batches& batches) {
         for (auto& batch : batches.tensors) {
           auto late = batch.first_visible.clone();
           const auto length = late.size(1) - 1;
           late.narrow(1, 1, length).copy_(batch.first_visible.narrow(1, 0, length));
           batch.first_visible = late;
         }
       }}};
}

std::vector<DeliberateFault> faults_of_state() {
  return {{"an optimizer slice is not updated", "loss of step 2", zero<2, 1>, nullptr, nullptr,
           [](Rank& self, int step) {
             static thread_local at::Tensor before;
             auto& matrices = self.state.parts().front().parameters;
             if (step == 0) before = matrices.clone();
             if (step == 1 && self.rank == 1) matrices.copy_(before);
           }},
          {"a rank forgets its moments", "loss of step 3", zero<2, 3>, nullptr, nullptr,
           [](Rank& self, int step) {
             if (step == 1 && self.rank == 0)
               for (auto& part : self.state.parts()) part.first_moment.zero_();
           }},
          {"a replica's weights drift away", "loss of step 2", data<2>, nullptr, nullptr,
           [](Rank& self, int step) {
             if (step == 1 && self.rank == 1)
               for (auto& part : self.state.parts()) part.parameters.mul_(1 + 1e-6);
           }},
          {"a data rank's cursor stands still", "loss of step 2", data<2>, nullptr, nullptr,
           [](Rank& self, int step) {
             if (step == 1 && self.rank == 1) self.state.progress.samples = 0;
           }},
          {"a stage is a step of the learning rate ahead", "loss of step 2", pipeline, nullptr,
           nullptr, [](Rank& self, int step) {
             if (step == 0 && self.rank == 1) self.state.progress.step = 1;
           }}};
}

}  // namespace

std::vector<DeliberateFault> deliberate_faults() {
  std::vector<DeliberateFault> all;
  for (auto&& some : {faults_of_sums(), faults_of_sharding(), faults_of_axes(), faults_of_experts(),
                      faults_of_batches(), faults_of_masks(), faults_of_state()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace phalanx::runtime

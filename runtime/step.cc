#include "runtime/step.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "kernels/squared_norm.h"
#include "layout/recompute.h"
#include "layout/step_schedule.h"
#include "model/lr_schedule.h"
#include "model/transformer.h"
#include "parallel/to_device.h"
#include "parallel/vocabulary.h"
#include "runtime/agree.h"
#include "runtime/finite_search.h"
#include "runtime/optimizer.h"

namespace phalanx::runtime {
namespace {

using protocol::Phase;

at::ScalarType compute_type(const std::string& precision) {
  if (precision == "bf16") return at::kBFloat16;
  return precision == "fp64" ? at::kDouble : at::kFloat;
}

at::ScalarType gradient_type(const std::string& precision) {
  return precision == "fp64" ? at::kDouble : at::kFloat;
}

at::ScalarType wire_type(const config::Job& job) {
  return job.parallel.gradient_wire == "bf16" ? at::kBFloat16 : gradient_type(job.train.precision);
}

std::int64_t token_count(const NumberedMicroBatches& batches) {
  std::int64_t tokens = 0;
  for (const auto& batch : batches.tensors) tokens += batch.targets.numel();
  return tokens;
}

// What flows between stages for a micro-batch: the vectors of own tokens (parallel/tensor_axis.h).
parallel::ScheduleExecutor::Boundary boundary(const config::Job& job, int tensor_ranks) {
  return [width = job.model.width, type = compute_type(job.train.precision),
          tensor_ranks](const at::Tensor& inputs) {
    const auto options = inputs.options().dtype(type);
    if (tensor_ranks == 1) return at::empty({inputs.size(0), inputs.size(1), width}, options);
    return at::empty({1, inputs.numel() / tensor_ranks, width}, options);
  };
}

// Where the tensors of a step lie. Those of experts have the sizes of their loads, which no step
// has twice: nothing to plan. A device's allocator keeps what has been freed.
class StepMemory {
 public:
  StepMemory(parallel::PlannedArena& arena, const config::Model& model, at::Device device)
      : use_(parallel::MemoryUse::kActivations) {
    if (model.experts == 0 && device.is_cpu()) pass_.emplace(arena);
  }

 private:
  parallel::MemoryScope use_;
  std::optional<parallel::PlannedArena::Pass> pass_;
};

// What all ranks know after the commit point, as sums over them: the places in what commit() gives.
enum CommitSum : std::uint8_t {
  kLoss,
  kTokens,
  kSquaredNorm,
  kBalanceLoss,
  kBusiestExperts,
  kStop,
  kTrace
};

}  // namespace

Stepper::Stepper(const config::Job& job, ModelState& state, const TrainingData& data,
                 const MeshGroups& groups, PhaseClock& phases)
    : job_(job),
      state_(state),
      data_(data),
      groups_(groups),
      phases_(phases),
      at_(state.coordinates()),
      tensor_axis_(groups.axes, job.model.sequence_length),
      gradients_(groups.buckets, layout::gradient_policy(job.parallel),
                 at::TensorOptions(state.device()).dtype(gradient_type(job.train.precision)),
                 wire_type(job)),
      weights_(state, groups, job.train.precision),
      parameters_(make_parameters()),
      mask_(data.tells_documents() ? std::make_shared<parallel::DocumentMask>() : nullptr),
      executor_(
          make_chunks(),
          [this](at::Tensor& logits, const at::Tensor& targets) {
            return parallel::cross_entropy(tensor_axis_, logits, targets, job_.model.vocab_size);
          },
          boundary(job, tensor_axis_.size()), groups.pipeline, mask_),
      experts_(job.model),
      balance_loss_(at::zeros({1}, at::TensorOptions(state.device()).dtype(at::kDouble))) {
  weights_.gather_changes();
}

parallel::Parameters Stepper::make_parameters() const {
  parallel::Parameters parameters;
  for (std::size_t i = 0; i < state_.parts().size(); ++i) {
    const auto& tensors = state_.parts()[i].bucket.tensors;
    for (std::size_t t = 0; t < tensors.size(); ++t)
      parameters[tensors[t].name] = {weights_.view(i, t), gradients_.view(i, t)};
  }
  return parameters;
}

std::vector<parallel::Chunk> Stepper::make_chunks() const {
  const auto& partition = state_.partition();
  auto groups = groups_.axes;
  groups.mask = mask_;
  std::vector<parallel::Chunk> chunks;
  for (int chunk = 0; chunk < partition.map.chunks; ++chunk) {
    const int stage = partition.map.stage(at_.pipeline, chunk);
    chunks.push_back(
        model::make_chunk(job_.model, partition.stages[static_cast<std::size_t>(stage)],
                          parameters_, groups, layout::recompute_of(job_.parallel, stage)));
  }
  return chunks;
}

parallel::ExecutorHooks Stepper::hooks() {
  parallel::ExecutorHooks hooks;
  hooks.enter = [this](const layout::Operation& operation) {
    const bool backward = layout::is_backward(operation.kind);
    phases_.enter(backward ? Phase::kBackward : Phase::kForward);
    if (backward) gradients_.begin_pass(operation.chunk);
  };
  hooks.gather = [this](int chunk) { weights_.gather(chunk); };
  hooks.free = [this](int chunk) { weights_.free(chunk); };
  hooks.reduce = [this](int chunk) { gradients_.reduce(chunk); };
  hooks.ready = [this](const std::string& tensor) { gradients_.complete(tensor); };
  hooks.watch.turn = [this](const parallel::Block& block, const parallel::Saved& saved) {
    if (const auto loss = block.auxiliary_loss(saved); loss.defined()) balance_loss_.add_(loss);
  };
  hooks.watch.before = [this](const parallel::Block& block) { weights_.await(block); };
  return hooks;
}

StepOutcome Stepper::run(const Wishes& wishes) {
  phases_.begin_step(state_.progress.step + 1);
  phases_.enter(Phase::kData);
  const StepMemory memory(step_arena_, job_.model, state_.device());
  const auto batches = next_batches();
  const auto local_loss = accumulate_gradients(batches);

  const auto sums = commit(local_loss, batches, wishes);
  const double tokens = sums[kTokens], norm = std::sqrt(sums[kSquaredNorm]) / tokens;
  if (!std::isfinite(sums[kLoss]) || !std::isfinite(norm)) blame(batches);

  phases_.enter(Phase::kOptimizer);
  const double clip_norm = job_.train.optimizer.clip_norm;
  const double clip = clip_norm > 0 ? std::min(1.0, clip_norm / (norm + 1e-6)) : 1.0;
  const double lr = model::learning_rate(job_.train, state_.progress.step + 1);
  update_parameters(state_, gradients_, weights_, job_.train.optimizer, clip / tokens, lr);
  for_each_bias([&](std::size_t part, const layout::TensorSpec& bias, std::int64_t first) {
    experts_.move(bias.name, state_.parts()[part].parameters.narrow(0, first, bias.elements()));
  });
  state_.progress.step += 1;
  state_.progress.samples += job_.train.global_batch;
  state_.progress.tokens += static_cast<std::int64_t>(tokens);
  changed_ = true;
  return {sums[kLoss] / tokens,
          norm,
          lr,
          sums[kBalanceLoss] / tokens,
          sums[kBusiestExperts] / static_cast<double>(job_.model.layers),
          sums[kStop] > 0,
          sums[kTrace] == groups_.world->size()};
}

template <class Body>
void Stepper::for_each_bias(const Body& body) {
  for (std::size_t part = 0; part < state_.parts().size(); ++part) {
    const auto& bucket = state_.parts()[part].bucket;
    for (std::size_t t = 0; t < bucket.tensors.size(); ++t)
      if (bucket.tensors[t].counts_load) body(part, bucket.tensors[t], bucket.flat.offsets[t]);
  }
}

NumberedMicroBatches Stepper::next_batches() const {
  return own_part(
      data_.step(state_.progress.samples, state_.partition().mesh.sizes().data, at_.data));
}

// What the context axis leaves of every sequence to this rank, on its device.
NumberedMicroBatches Stepper::own_part(NumberedMicroBatches batches) const {
  at::Tensor index;
  if (groups_.axes.context)
    index = at::tensor(groups_.axes.own_positions(job_.model.sequence_length), at::kLong);
  for (auto& batch : batches.tensors) {
    for (auto* tokens : {&batch.inputs, &batch.targets}) {
      if (index.defined()) *tokens = tokens->index_select(1, index);
      *tokens = parallel::to_device(*tokens, state_.device());
    }
    if (batch.first_visible.defined())
      batch.first_visible = parallel::to_device(batch.first_visible, state_.device());
  }
  return batches;
}

at::Tensor Stepper::accumulate_gradients(const NumberedMicroBatches& batches) {
  gather_changes();
  gradients_.begin_step();
  balance_loss_.zero_();
  auto loss = executor_.run(schedule_of(batches), batches.tensors, hooks());
  phases_.enter(Phase::kCommit);
  gradients_.finish_step();
  for_each_bias([&](std::size_t part, const layout::TensorSpec& bias, std::int64_t first) {
    experts_.take(bias.name, gradients_.reduced(part).narrow(0, first, bias.elements()));
  });
  return loss;
}

// After a step others may still have needed the state as it was.
void Stepper::gather_changes() {
  if (std::exchange(changed_, false)) weights_.gather_changes();
}

const layout::Schedule& Stepper::schedule_of(const NumberedMicroBatches& batches) {
  const auto count = static_cast<int>(batches.tensors.size());
  if (schedule_.ranks.empty()) schedule_ = layout::step_schedule(job_, state_.partition(), count);
  return schedule_;
}

double Stepper::tokens_counted(const NumberedMicroBatches& batches) const {
  return counts_tokens() ? static_cast<double>(token_count(batches)) : 0.0;
}

// Tensor ranks have the same tokens.
bool Stepper::counts_tokens() const {
  const auto& map = state_.partition().map;
  return at_.tensor == 0 && map.rank_of(map.stages() - 1) == at_.pipeline;
}

std::vector<double> Stepper::commit(const at::Tensor& local_loss,
                                    const NumberedMicroBatches& batches, const Wishes& wishes) {
  // What the host knows, and behind it on the device what that has computed.
  const auto mine =
      parallel::to_device(at::tensor({0.0, tokens_counted(batches), 0.0, 0.0, 0.0,
                                      wishes.stop ? 1.0 : 0.0, wishes.trace ? 1.0 : 0.0}),
                          state_.device());
  const auto add = [&](int place, const at::Tensor& number) {
    if (number.defined()) mine.narrow(0, place, 1).add_(number);
  };
  if (counts_tokens()) add(kLoss, local_loss);
  for (std::size_t i = 0; i < state_.parts().size(); ++i)
    add(kSquaredNorm, kernels::squared_norm(gradients_.owned(i)));
  add(kBalanceLoss, balance_loss_);
  // All ranks of a stage have the same sums of its layers' load.
  if (at_.data == 0 && at_.context == 0 && at_.tensor == 0)
    add(kBusiestExperts, experts_.busiest());
  return sum_over(*groups_.world, mine);
}

// The step counts on no rank, for all have seen the same sums. Each computes its part once more and
// looks, and the one that came to something first speaks; if none did, the sum itself overflowed
// and rank 0 says so.
void Stepper::blame(const NumberedMicroBatches& batches) {
  FiniteSearch search(job_.model, parameters_);
  gradients_.begin_step();
  search.see_loss(executor_.run(schedule_of(batches), batches.tensors, search.watching(hooks())));

  std::vector<double> moments(static_cast<std::size_t>(groups_.world->size()), 0.0);
  moments[static_cast<std::size_t>(groups_.world->rank())] = search.moment();
  const auto all = sum_over(*groups_.world, moments, state_.device());
  const auto first = std::ranges::min_element(all);
  const bool nobody = *first == FiniteSearch::kNever;
  const auto speaker = nobody ? 0 : first - all.begin();
  if (speaker != groups_.world->rank()) {
    // Silence until the controller, which has heard the speaker, ends the generation.
    groups_.world->barrier().wait();
  }
  const auto found =
      nobody
          ? "in no layer of any rank: the sum of the ranks' gradients overflowed"
          : fmt::format(
                "first in {}, samples {}", search.found(),
                fmt::join(batches.sequences[static_cast<std::size_t>(search.micro_batch())], " "));
  throw DivergedError(
      fmt::format("step {}: loss or gradient is not a finite number: {}", state_.progress.step + 1,
                  found),
      "lower train.optimizer.lr, lengthen train.lr_schedule.warmup, or look at these samples");
}

double Stepper::validate() {
  phases_.enter(Phase::kValidation);
  gather_changes();
  const auto batches = own_part(data_.validation(state_.partition().mesh.sizes().data, at_.data));
  if (validation_schedule_.ranks.empty())
    validation_schedule_ = layout::validation_schedule(job_, state_.partition(),
                                                       static_cast<int>(batches.tensors.size()));
  auto silent = hooks();
  silent.enter = nullptr;
  const StepMemory memory(validation_arena_, job_.model, state_.device());
  const auto loss = executor_.run(validation_schedule_, batches.tensors, silent);
  const auto mine =
      parallel::to_device(at::tensor({0.0, tokens_counted(batches)}), state_.device());
  if (counts_tokens()) mine.narrow(0, 0, 1).add_(loss);
  const auto sums = sum_over(*groups_.world, mine);
  return sums[0] / sums[1];
}

}  // namespace phalanx::runtime

#include "runtime/step.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "kernels/adamw.h"
#include "kernels/squared_norm.h"
#include "model/lr_schedule.h"
#include "runtime/agree.h"

namespace phalanx::runtime {
namespace {

using protocol::Phase;

// Large enough that a bucket's start costs nothing beside its sum, small enough that most of a
// small model's gradients are on their way before backward ends.
constexpr std::int64_t kBucketBytes = 4 << 20;

// The part of a flat buffer that a rank owns where all hold the same: in 64-byte units, so that no
// line is shared.
std::span<const float> own_part(std::span<const float> flat, int ranks, int rank) {
  const auto units = flat.size() / 16;
  const auto begin = units * static_cast<std::size_t>(rank) / static_cast<std::size_t>(ranks);
  const auto end = units * static_cast<std::size_t>(rank + 1) / static_cast<std::size_t>(ranks);
  return flat.subspan(begin * 16, (end - begin) * 16);
}

std::int64_t token_count(const std::vector<NumberedMicroBatch>& batches) {
  std::int64_t tokens = 0;
  for (const auto& batch : batches) tokens += batch.tensors.targets.numel();
  return tokens;
}

}  // namespace

// What all ranks know after the commit point, as sums over them.
struct Stepper::Commit {
  double loss, tokens, squared_norm, balance_loss, busiest_experts, stop, trace;
};

Stepper::Stepper(const config::Job& job, ModelState& state, const TrainingData& data,
                 std::shared_ptr<comm::Group> group, PhaseClock& phases)
    : job_(job),
      state_(state),
      data_(data),
      group_(std::move(group)),
      phases_(phases),
      gradients_(group_, state.specs(), kBucketBytes),
      weights_(state, job.train),
      model_(job.model, weights_.views(gradients_.flat())),
      experts_(job.model) {}

StepOutcome Stepper::run(const Wishes& wishes) {
  phases_.begin_step(state_.progress.step + 1);
  phases_.enter(Phase::kData);
  const auto batches = data_.step(state_.progress.samples, group_->size(), group_->rank());
  const double local_loss = accumulate_gradients(batches);

  const Commit sums = commit(local_loss, batches, wishes);
  const double norm = std::sqrt(sums.squared_norm) / sums.tokens;
  if (!std::isfinite(sums.loss) || !std::isfinite(norm)) blame(batches);

  phases_.enter(Phase::kOptimizer);
  const double clip_norm = job_.train.optimizer.clip_norm;
  const double clip = clip_norm > 0 ? std::min(1.0, clip_norm / (norm + 1e-6)) : 1.0;
  const double lr = model::learning_rate(job_.train, state_.progress.step + 1);
  update(clip / sums.tokens, lr);
  for_each_bias([&](const std::string& name, std::size_t begin, std::int64_t count) {
    experts_.move(name, at::from_blob(&state_.parameters()[begin], {count}));
  });
  state_.progress.step += 1;
  state_.progress.samples += job_.train.global_batch;
  state_.progress.tokens += static_cast<std::int64_t>(sums.tokens);
  return {sums.loss / sums.tokens,
          norm,
          lr,
          sums.balance_loss / sums.tokens,
          sums.busiest_experts / static_cast<double>(job_.model.layers),
          sums.stop > 0,
          sums.trace == group_->size()};
}

template <class Body>
void Stepper::for_each_bias(const Body& body) const {
  for (std::size_t i = 0; i < state_.specs().size(); ++i)
    if (const auto& spec = state_.specs()[i]; spec.counts_load)
      body(spec.name, static_cast<std::size_t>(state_.flat().offsets[i]), spec.elements());
}

double Stepper::accumulate_gradients(const std::vector<NumberedMicroBatch>& batches) {
  std::ranges::fill(gradients_.flat(), 0.0F);
  double loss = 0;
  balance_loss_ = 0;
  model::Activations saved;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    phases_.enter(Phase::kForward);
    loss += model_.forward(batches[i].tensors, saved);
    balance_loss_ += model_.auxiliary_loss(saved);
    phases_.enter(Phase::kBackward);
    const bool last = i + 1 == batches.size();
    model_.backward(saved, [&](const std::string& tensor) {
      if (last) gradients_.complete(tensor);
    });
  }
  if (batches.empty()) gradients_.complete_all();
  phases_.enter(Phase::kCommit);
  gradients_.wait();
  for_each_bias([&](const std::string& name, std::size_t begin, std::int64_t count) {
    experts_.take(name, at::from_blob(&gradients_.flat()[begin], {count}));
  });
  return loss;
}

Stepper::Commit Stepper::commit(double local_loss, const std::vector<NumberedMicroBatch>& batches,
                                const Wishes& wishes) {
  const auto own = own_part(gradients_.flat(), group_->size(), group_->rank());
  // All ranks have the same sums of the load.
  const double busiest = group_->rank() == 0 ? experts_.busiest() : 0;
  const double mine[] = {local_loss,
                         static_cast<double>(token_count(batches)),
                         kernels::squared_norm(own),
                         balance_loss_,
                         busiest,
                         wishes.stop ? 1.0 : 0.0,
                         wishes.trace ? 1.0 : 0.0};
  const auto sums = sum_over(*group_, mine);
  return {sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6]};
}

void Stepper::update(double gradient_scale, double lr) {
  const auto& optimizer = job_.train.optimizer;
  kernels::AdamWStep step;
  step.lr = lr;
  step.beta1 = optimizer.beta1;
  step.beta2 = optimizer.beta2;
  step.epsilon = optimizer.epsilon;
  step.gradient_scale = gradient_scale;
  step.step = state_.progress.step + 1;
  for (std::size_t i = 0; i < state_.specs().size(); ++i) {
    const auto& spec = state_.specs()[i];
    const auto begin = static_cast<std::size_t>(state_.flat().offsets[i]);
    const auto count = static_cast<std::size_t>(spec.elements());
    step.weight_decay = spec.decay ? optimizer.weight_decay : 0;
    kernels::adamw(
        state_.parameters().subspan(begin, count), gradients_.flat().subspan(begin, count),
        state_.first_moment().subspan(begin, count), state_.second_moment().subspan(begin, count),
        step, weights_.copies(begin, count));
  }
}

// The step counts on no rank, for all have seen the same sums. Each looks for the fault in its own
// samples, and the first rank that finds one speaks; if none does, the sum itself overflowed and
// rank 0 says so.
void Stepper::blame(const std::vector<NumberedMicroBatch>& batches) {
  std::string found;
  for (const auto& batch : batches) {
    if (!found.empty()) break;
    if (const auto layer = model_.first_non_finite(batch.tensors))
      found = fmt::format("first in {}, samples {}", *layer, fmt::join(batch.sequences, " "));
  }
  std::vector<double> blamed(static_cast<std::size_t>(group_->size()), 0.0);
  blamed[static_cast<std::size_t>(group_->rank())] = found.empty() ? 0 : 1;
  const auto all = sum_over(*group_, blamed);
  const auto first = std::ranges::find_if(all, [](double count) { return count > 0; });
  const auto speaker = first == all.end() ? 0 : first - all.begin();
  if (first == all.end())
    found = "in no layer of any rank: the sum of the ranks' gradients overflowed";
  if (speaker != group_->rank()) {
    // Silence until the controller, which has heard the speaker, ends the generation.
    group_->barrier().wait();
  }
  throw DivergedError(
      fmt::format("step {}: loss or gradient is not a finite number: {}", state_.progress.step + 1,
                  found),
      "lower train.optimizer.lr, lengthen train.lr_schedule.warmup, or look at these samples");
}

double Stepper::validate() {
  phases_.enter(Phase::kValidation);
  const auto batches = data_.validation(group_->size(), group_->rank());
  double loss = 0;
  for (const auto& batch : batches) loss += model_.loss(batch.tensors);
  const double mine[] = {loss, static_cast<double>(token_count(batches))};
  const auto sums = sum_over(*group_, mine);
  return sums[0] / sums[1];
}

}  // namespace phalanx::runtime

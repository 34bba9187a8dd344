#pragma once

#include <optional>

#include "base/error.h"
#include "config/job.h"
#include "model/expert_balance.h"
#include "parallel/gradient_buckets.h"
#include "parallel/planned_arena.h"
#include "parallel/schedule_executor.h"
#include "parallel/tensor_axis.h"
#include "runtime/compute_weights.h"
#include "runtime/mesh_groups.h"
#include "runtime/model_state.h"
#include "runtime/phase_clock.h"
#include "runtime/training_data.h"

namespace phalanx::runtime {

// Training has produced a number that is none; says step, rank, layer and samples.
class DivergedError : public Error {
 public:
  using Error::Error;
};

// What a step that counts has come to, the same on every rank.
struct StepOutcome {
  double loss = 0;       // mean nats a token
  double grad_norm = 0;  // of the mean gradient, before clipping
  double lr = 0;
  double balance_loss = 0;  // of experts, mean a token, over all layers
  double busiest_expert =
      0;              // tokens of the busiest over those of the mean one, mean of layers; 0: none
  bool stop = false;  // some rank wishes to stop
  bool all_trace = false;  // every rank wishes to trace
};

// What a rank asks of all others along with a step.
struct Wishes {
  bool stop = false;
  bool trace = false;
};

// A rank's part in training steps of one generation: owns the gradients, what the model computes
// with, and the model.
class Stepper {
 public:
  // `state`, `data`, `groups`, `phases` outlive it. Allocates from the groups: all ranks make it at
  // the same point. Throws CommError, SystemError.
  Stepper(const config::Job& job, ModelState& state, const TrainingData& data,
          const MeshGroups& groups, PhaseClock& phases);

  // One step: state becomes that of step + 1, on all ranks or on none. Throws CommError before the
  // commit point, and nothing after it; DivergedError on the rank that is the first to blame, the
  // others wait for the generation's end.
  StepOutcome run(const Wishes& wishes);

  // The mean loss on the validation sequences. Throws CommError.
  double validate();

  // Forward and backward of this rank's part of the step at the cursor, gradients summed over their
  // replicas; returns the local loss, summed over its tokens, one fp64 number on the device, or
  // undefined where the model does not end on this rank. A part of run(), public for proofs about
  // gradients.
  at::Tensor accumulate_gradients(const NumberedMicroBatches& batches);
  NumberedMicroBatches next_batches() const;
  const parallel::GradientBuckets& gradients() const { return gradients_; }
  // The tokens that each expert has got in the last step, of the layers that this rank has.
  const model::ExpertBalance& experts() const { return experts_; }

  // Where the tensors of a step lie; empty with experts.
  const parallel::PlannedArena& arena() const { return step_arena_; }

 private:
  parallel::Parameters make_parameters() const;
  std::vector<parallel::Chunk> make_chunks() const;
  parallel::ExecutorHooks hooks();
  NumberedMicroBatches own_part(NumberedMicroBatches batches) const;
  void gather_changes();
  const layout::Schedule& schedule_of(const NumberedMicroBatches& batches);
  bool counts_tokens() const;
  double tokens_counted(const NumberedMicroBatches& batches) const;  // 0 where others count them
  std::vector<double> commit(const at::Tensor& local_loss, const NumberedMicroBatches& batches,
                             const Wishes& wishes);
  [[noreturn]] void blame(const NumberedMicroBatches& batches);
  // Calls body(part of the state, tensor in its bucket) for the biases of routers.
  template <class Body>
  void for_each_bias(const Body& body);

  const config::Job& job_;
  ModelState& state_;
  const TrainingData& data_;
  const MeshGroups& groups_;
  PhaseClock& phases_;
  layout::Coordinates at_;
  parallel::TensorAxis tensor_axis_;
  parallel::PlannedArena step_arena_{parallel::MemoryUse::kActivations};
  parallel::PlannedArena validation_arena_{parallel::MemoryUse::kActivations};
  layout::Schedule schedule_, validation_schedule_;  // made with the first micro-batches
  parallel::GradientBuckets gradients_;
  ComputeWeights weights_;
  bool changed_ = false;  // the state, since the weights were gathered
  parallel::Parameters parameters_;
  std::shared_ptr<parallel::DocumentMask> mask_;  // null: causal attention
  parallel::ScheduleExecutor executor_;
  model::ExpertBalance experts_;
  at::Tensor balance_loss_;  // of this rank's tokens and layers in the step under way, fp64 [1]
};

}  // namespace phalanx::runtime

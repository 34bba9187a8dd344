#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "comm/group.h"
#include "config/job.h"
#include "model/expert_balance.h"
#include "model/transformer.h"
#include "parallel/gradient_buckets.h"
#include "runtime/compute_weights.h"
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

// A rank's part in training steps of one generation: owns the gradients and the model's views of
// state and gradients.
class Stepper {
 public:
  // `state`, `data`, `phases` outlive it. Allocates from the group: all ranks make it at the
  // same point.
  Stepper(const config::Job& job, ModelState& state, const TrainingData& data,
          std::shared_ptr<comm::Group> group, PhaseClock& phases);

  // One step: state becomes that of step + 1, on all ranks or on none. Throws CommError before the
  // commit point, and nothing after it; DivergedError on the rank that is the first to blame, the
  // others wait for the generation's end.
  StepOutcome run(const Wishes& wishes);

  // The mean loss on the validation sequences. Throws CommError.
  double validate();

  // Forward and backward of this rank's part of the step at the cursor, gradients summed over the
  // group; returns the local loss, summed over its tokens. A part of run(), public for proofs about
  // gradients.
  double accumulate_gradients(const std::vector<NumberedMicroBatch>& batches);
  const parallel::GradientBuckets& gradients() const { return gradients_; }
  // The tokens that each expert has got in the last step.
  const model::ExpertBalance& experts() const { return experts_; }

 private:
  struct Commit;
  Commit commit(double local_loss, const std::vector<NumberedMicroBatch>& batches,
                const Wishes& wishes);
  [[noreturn]] void blame(const std::vector<NumberedMicroBatch>& batches);
  void update(double gradient_scale, double lr);
  // Calls body(name, where its values are in the flat buffers) for the biases of routers.
  template <class Body>
  void for_each_bias(const Body& body) const;

  const config::Job& job_;
  ModelState& state_;
  const TrainingData& data_;
  std::shared_ptr<comm::Group> group_;
  PhaseClock& phases_;
  parallel::GradientBuckets gradients_;
  ComputeWeights weights_;
  model::Transformer model_;
  model::ExpertBalance experts_;
  double balance_loss_ = 0;  // of this rank's tokens in the step under way
};

}  // namespace phalanx::runtime

#pragma once

#include <string>
#include <vector>

#include "config/job.h"
#include "layout/recompute.h"
#include "layout/stage_split.h"
#include "parallel/axis_groups.h"
#include "parallel/chunk.h"
#include "parallel/schedule_executor.h"

namespace phalanx::model {

using parallel::MicroBatch;

// The blocks of a stage of a preset (layout/tensor_spec.h names its parameters and sources): the
// embedding, attention and feed-forward of every layer, the head. They compute in the type of the
// matrices (fp32, bf16, or fp64 in proofs); where that is bf16, norms, biases and gradients are
// fp32. `model.vocab_size` is resolved; `parameters` holds the stage's tensors, contiguous, in the
// shapes that layout::buckets gives to this rank, with gradients of the same shape unless no
// backward pass follows. With kSelective attention recomputes by itself; kFull is the schedule's.
parallel::Chunk make_chunk(const config::Model& model, const layout::StageLayers& layers,
                           const parallel::Parameters& parameters,
                           const parallel::AxisGroups& groups = {},
                           layout::Recompute recompute = layout::Recompute::kNone);

// All of the model.
layout::StageLayers all_layers(const config::Model& model);

// What one micro-batch keeps between forward and backward.
struct Activations {
  parallel::Activations chunk;
  at::Tensor dlogits;
};

// The whole model on one rank, of sequences that are one document each.
class Transformer {
 public:
  Transformer(const config::Model& model, const parallel::Parameters& parameters);

  // The sum of the tokens' losses, in nats.
  double forward(const MicroBatch& batch, Activations& saved) const;
  // What the blocks add to it (balancing of experts), of the same micro-batch, before backward().
  double auxiliary_loss(const Activations& saved) const;
  // Adds the gradient of these losses to the parameters' gradients, from the head down to the
  // embedding, and reports each tensor.
  void backward(Activations& saved, const parallel::Chunk::GradientReady& ready) const;
  // forward's loss without keeping anything.
  double loss(const MicroBatch& batch) const;
  // What follows tokens (int64 [sequences, length]): [sequences, vocab].
  at::Tensor logits(const at::Tensor& tokens) const;

  const std::vector<std::unique_ptr<parallel::Block>>& blocks() const { return chunk_.blocks(); }

 private:
  parallel::Chunk chunk_;
};

}  // namespace phalanx::model

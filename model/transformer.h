#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/job.h"
#include "parallel/block.h"

namespace phalanx::model {

// Sequences of one forward and backward pass: int64 [sequences, length], targets[s][i] is what
// follows inputs[s][i].
struct MicroBatch {
  at::Tensor inputs;
  at::Tensor targets;
};

// What one micro-batch keeps between forward and backward: a Saved for every block, and the
// gradient of the logits.
struct Activations {
  std::vector<parallel::Saved> blocks;
  at::Tensor dlogits;
};

// The model of a preset (layout/tensor_spec.h names its parameters and sources) as a list of
// blocks: the embedding, attention and feed-forward of every layer, the head. It computes in the
// type of the matrices (fp32, bf16, or fp64 in proofs); where that is bf16, norms, biases and
// gradients are fp32.
class Transformer {
 public:
  // Called as soon as a tensor's gradient has all that a micro-batch adds to it.
  using GradientReady = std::function<void(const std::string& tensor)>;

  // `model.vocab_size` is resolved. `parameters` holds every tensor of tensor_specs(model),
  // contiguous and joined as the specifications say (layout::flat_layout), with gradients of the
  // same shape unless nothing but loss() and logits() is called.
  Transformer(const config::Model& model, parallel::Parameters parameters);

  // The sum of the tokens' losses, in nats.
  double forward(const MicroBatch& batch, Activations& saved) const;
  // What the blocks add to it (balancing of experts), of the same micro-batch, before backward().
  double auxiliary_loss(const Activations& saved) const;

  // Adds loss_scale (1 where blocks add losses) times the gradient of these losses to the
  // parameters' gradients, from the head down to the embedding, frees each block's activations when
  // they have served, and reports each tensor.
  void backward(Activations& saved, const GradientReady& ready, double loss_scale = 1) const;

  // forward's loss without keeping anything.
  double loss(const MicroBatch& batch) const;

  // What follows tokens (int64 [sequences, length]): [sequences, vocab].
  at::Tensor logits(const at::Tensor& tokens) const;

  // The first thing that is not finite when this micro-batch is computed: "layers.0.ffn.up.weight",
  // "the output of layers.3.attention", "the loss", or "the gradient of layers.3.ffn.up.weight".
  // Leaves the gradients alone.
  std::optional<std::string> first_non_finite(const MicroBatch& batch) const;

  const std::vector<std::unique_ptr<parallel::Block>>& blocks() const { return blocks_; }

 private:
  std::optional<std::string> first_non_finite_gradient(Activations& saved) const;

  config::Model model_;
  parallel::Parameters parameters_;
  std::vector<std::unique_ptr<parallel::Block>> blocks_;
};

}  // namespace phalanx::model

#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parallel/block.h"

namespace phalanx::parallel {

// What one micro-batch keeps of a chunk between its passes.
struct Activations {
  at::Tensor input;
  std::vector<Saved> blocks;
};

// The blocks of a stage, or of a whole model, in the order of the forward pass.
class Chunk {
 public:
  // Called as soon as a tensor's gradient has all that a pass adds to it.
  using GradientReady = std::function<void(const std::string& tensor)>;
  // Called before a block computes, and with what it gave.
  struct Watch {
    std::function<void(const Block&)> before;
    std::function<void(const Block&, const at::Tensor&)> after;
    // Called before a block's backward_input, with what its forward pass has kept.
    std::function<void(const Block&, const Saved&)> turn;
  };

  explicit Chunk(std::vector<std::unique_ptr<Block>> blocks) : blocks_(std::move(blocks)) {}

  const std::vector<std::unique_ptr<Block>>& blocks() const { return blocks_; }

  at::Tensor forward(const at::Tensor& x, Activations& saved, const Watch& watch = {}) const;
  // Keeps nothing.
  at::Tensor forward(const at::Tensor& x, const Watch& watch = {}) const;

  // Both backward passes from the last block to the first, each freed of its activations when they
  // have served: a block's weights may have to wait until the block before it waits for other
  // ranks. Returns the input's gradient.
  at::Tensor backward(at::Tensor dy, Activations& saved, const GradientReady& ready,
                      const Watch& watch = {}) const;
  at::Tensor backward_input(at::Tensor dy, Activations& saved, const Watch& watch = {}) const;
  void backward_weight(Activations& saved, const GradientReady& ready) const;

 private:
  void finish(std::size_t block, Activations& saved, const GradientReady& ready) const;

  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace phalanx::parallel

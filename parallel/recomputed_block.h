#pragma once

#include <memory>
#include <utility>

#include "parallel/block.h"

namespace phalanx::parallel {

// A block that keeps its input alone, and computes once more for the way back (Chen et al. 2016,
// "Training Deep Nets with Sublinear Memory Cost"). The same bits.
class RecomputedBlock : public Block {
 public:
  explicit RecomputedBlock(std::unique_ptr<Block> block)
      : Block(block->name(), block->parameters()), block_(std::move(block)) {}

  at::Tensor forward(const at::Tensor& x, Saved& saved) const override {
    Saved released;
    saved = {x};
    return block_->forward(x, released);
  }
  at::Tensor backward_input(const at::Tensor& dy, Saved& saved) const override {
    const at::Tensor x = saved.front();
    block_->forward(x, saved);
    return block_->backward_input(dy, saved);
  }
  void backward_weight(Saved& saved) const override { block_->backward_weight(saved); }

 private:
  std::unique_ptr<Block> block_;
};

}  // namespace phalanx::parallel

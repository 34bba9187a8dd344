#include "parallel/chunk.h"

#include <utility>

namespace phalanx::parallel {
namespace {

void before(const Chunk::Watch& watch, const Block& block) {
  if (watch.before) watch.before(block);
}

at::Tensor after(const Chunk::Watch& watch, const Block& block, at::Tensor y) {
  if (watch.after) watch.after(block, y);
  return y;
}

}  // namespace

at::Tensor Chunk::forward(const at::Tensor& x, Activations& saved, const Watch& watch) const {
  saved.blocks.resize(blocks_.size());
  at::Tensor y = x;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    before(watch, *blocks_[i]);
    y = after(watch, *blocks_[i], blocks_[i]->forward(y, saved.blocks[i]));
  }
  return y;
}

at::Tensor Chunk::forward(const at::Tensor& x, const Watch& watch) const {
  at::Tensor y = x;
  for (const auto& block : blocks_) {
    Saved released;
    before(watch, *block);
    y = after(watch, *block, block->forward(y, released));
  }
  return y;
}

at::Tensor Chunk::backward(at::Tensor dy, Activations& saved, const GradientReady& ready,
                           const Watch& watch) const {
  Meanwhile weight;  // of the block behind
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    before(watch, *blocks_[i]);
    if (watch.turn) watch.turn(*blocks_[i], saved.blocks[i]);
    auto [dx, own] = blocks_[i]->backward(dy, saved.blocks[i], weight);
    weight();
    dy = std::move(dx);
    weight = Meanwhile([this, i, &saved, &ready, own = std::move(own)]() mutable {
      own();
      finish(i, saved, ready);
    });
  }
  weight();
  saved = {};
  return dy;
}

at::Tensor Chunk::backward_input(at::Tensor dy, Activations& saved, const Watch& watch) const {
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    before(watch, *blocks_[i]);
    if (watch.turn) watch.turn(*blocks_[i], saved.blocks[i]);
    dy = blocks_[i]->backward_input(dy, saved.blocks[i]);
  }
  return dy;
}

void Chunk::backward_weight(Activations& saved, const GradientReady& ready) const {
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    blocks_[i]->backward_weight(saved.blocks[i]);
    finish(i, saved, ready);
  }
  saved = {};
}

void Chunk::finish(std::size_t block, Activations& saved, const GradientReady& ready) const {
  saved.blocks[block].clear();
  const auto& names = blocks_[block]->parameters();
  for (auto name = names.rbegin(); name != names.rend(); ++name) ready(*name);
}

}  // namespace phalanx::parallel

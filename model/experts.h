#pragma once

#include <span>
#include <vector>

#include "parallel/block.h"

namespace phalanx::model {

// The SwiGLU experts of one rank, on rows that lie by expert: `rows` says how many each has.
class Experts {
 public:
  // What is kept of some rows between the passes; for backward_weight their gradients.
  enum Slot { kInput, kGateUp, kHidden, kOutputGradient, kSlots };
  using Saved = std::span<at::Tensor, kSlots>;

  // Takes an expert's gate and up (as one matrix) and down.
  void add(parallel::Parameter gate_up, parallel::Parameter down);

  // [rows, width] to [rows, width].
  at::Tensor forward(const at::Tensor& x, std::span<const std::int64_t> rows, Saved saved) const;
  at::Tensor backward_input(const at::Tensor& dy, std::span<const std::int64_t> rows,
                            Saved saved) const;
  void backward_weight(std::span<const std::int64_t> rows, Saved saved) const;

 private:
  std::vector<at::Tensor> gate_up_, down_, gate_up_gradients_, down_gradients_;
};

}  // namespace phalanx::model

#pragma once

#include <array>
#include <deque>
#include <vector>

#include "layout/schedule.h"

namespace phalanx::layout::schedules {

// Writes the passes of a rank with two chunks: each call adds the next micro-batch's pass through
// that chunk. Weight gradients that are not asked for by chunk come in the order of their input
// gradients.
class VPasses {
 public:
  void forward(int chunk) { add(OperationKind::kForward, forwards_, chunk); }
  void backward(int chunk) { add(OperationKind::kBackward, backwards_, chunk); }
  // The gradient of the input now, that of the weights when weight() comes to it.
  void backward_input(int chunk) {
    pending_.push_back({OperationKind::kBackwardWeight, next(backwards_, chunk), chunk});
    add(OperationKind::kBackwardInput, backwards_, chunk);
  }
  void weight() {
    passes_.push_back(pending_.front());
    pending_.pop_front();
  }
  bool owes_weights() const { return !pending_.empty(); }
  int forwards(int chunk) const { return forwards_[static_cast<std::size_t>(chunk)]; }

  std::vector<Operation> take() && { return std::move(passes_); }

 private:
  using Counts = std::array<int, 2>;
  static int& next(Counts& counts, int chunk) { return counts[static_cast<std::size_t>(chunk)]; }
  void add(OperationKind kind, Counts& counts, int chunk) {
    passes_.push_back({kind, next(counts, chunk)++, chunk});
  }

  std::vector<Operation> passes_;
  std::deque<Operation> pending_;  // weight gradients
  Counts forwards_{}, backwards_{};
};

}  // namespace phalanx::layout::schedules

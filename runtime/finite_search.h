#pragma once

#include <limits>
#include <string>

#include "config/job.h"
#include "parallel/schedule_executor.h"

namespace phalanx::runtime {

// Finds the first thing that is not a finite number while a rank's part of a step is computed once
// more: "layers.0.ffn.up.weight", "the output of layers.3.attention", "the loss", or "the gradient
// of layers.3.ffn.up.weight".
class FiniteSearch {
 public:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  // Both outlive it.
  FiniteSearch(const config::Model& model, const parallel::Parameters& parameters)
      : model_(model), parameters_(parameters) {}

  // The hooks with its eyes added.
  parallel::ExecutorHooks watching(parallel::ExecutorHooks hooks);
  void see_loss(const at::Tensor& loss);  // undefined: it is another rank's

  const std::string& found() const { return found_; }
  int micro_batch() const { return micro_batch_; }
  // When a rank that computes the whole model would come to it in a micro-batch: comparable among
  // ranks.
  double moment() const { return moment_; }

 private:
  double moment_of(const std::string& name) const;
  void find(double moment, const std::string& what);

  const config::Model& model_;
  const parallel::Parameters& parameters_;
  int now_ = 0;  // the micro-batch being computed
  std::string found_;
  int micro_batch_ = 0;
  double moment_ = kNever;
};

}  // namespace phalanx::runtime

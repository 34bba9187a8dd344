#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "config/job.h"

namespace phalanx::model {

// The load of experts in a step, and the biases of their choice that even it out (Wang et al. 2024,
// "Auxiliary-Loss-Free Load Balancing"). A bias is a tensor of the model that layout::TensorSpec
// calls counts_load: saved and restored as all are, while its gradient is a count. Works on runs of
// such a tensor, elements [first, first + n), so that a rank may hold any part of it.
class ExpertBalance {
 public:
  explicit ExpertBalance(const config::Model& model);

  // The step's counts, summed over all ranks that count. They become zero: neither the gradient
  // norm nor the optimizer, which then leaves the bias alone, takes them for a gradient.
  void take(const std::string& bias, std::int64_t first, at::Tensor counts);

  // Moves a bias by the factor `bias_balancing` towards more tokens where the load taken was below
  // the mean of a step of `tokens`, towards fewer where it was above.
  void move(const std::string& bias, std::int64_t first, at::Tensor values, double tokens) const;

  // What has been taken of the last step, by bias and first element.
  using Load = std::map<std::pair<std::string, std::int64_t>, at::Tensor>;
  const Load& load() const { return load_; }
  // The load of the busiest expert taken, over the mean of a step of `tokens`; 0 if none was taken.
  double busiest(double tokens) const;

 private:
  double mean(double tokens) const;

  std::int64_t experts_, chosen_;
  double rate_;
  Load load_;
};

}  // namespace phalanx::model

#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "config/job.h"

namespace phalanx::model {

// The load of experts in a step, and the biases of their choice that even it out (Wang et al. 2024,
// "Auxiliary-Loss-Free Load Balancing"). A layer's bias is a tensor of the model that
// layout::TensorSpec calls counts_load: saved and restored as all are, while its gradient is a
// count.
class ExpertBalance {
 public:
  explicit ExpertBalance(const config::Model& model);

  // The step's counts of a layer, summed over all ranks that count. They become zero: neither the
  // gradient norm nor the optimizer, which then leaves the bias alone, takes them for a gradient.
  void take(const std::string& bias, const at::Tensor& counts);

  // Moves the bias by the factor `bias_balancing` towards more tokens where the load taken was
  // below the experts' mean, towards fewer where it was above.
  void move(const std::string& bias, const at::Tensor& values) const;

  // Tokens of each expert in the last step, fp64, by the layer's bias.
  const std::map<std::string, at::Tensor>& load() const { return load_; }
  // The load of a layer's busiest expert over the mean, summed over the layers taken.
  // One fp64 number [1] on their device; undefined: no layers were taken.
  at::Tensor busiest() const;

 private:
  double rate_;
  std::map<std::string, at::Tensor> load_;
};

}  // namespace phalanx::model

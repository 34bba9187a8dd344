#include "model/expert_balance.h"

#include <ATen/ops/div.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sub.h>

namespace phalanx::model {

ExpertBalance::ExpertBalance(const config::Model& model) : rate_(model.router.bias_balancing) {}

void ExpertBalance::take(const std::string& bias, const at::Tensor& counts) {
  load_[bias] = counts.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  counts.zero_();
}

void ExpertBalance::move(const std::string& bias, const at::Tensor& values) const {
  const auto& counts = load_.at(bias);
  values.sub_(counts.sub(counts.mean()).sign_().to(values.scalar_type()), rate_);
}

double ExpertBalance::busiest() const {
  double sum = 0;
  for (const auto& [bias, counts] : load_) sum += counts.max().div(counts.mean()).item<double>();
  return sum;
}

}  // namespace phalanx::model

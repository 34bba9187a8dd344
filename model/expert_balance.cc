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

at::Tensor ExpertBalance::busiest() const {
  at::Tensor sum;
  for (const auto& [bias, counts] : load_) {
    const auto over_mean = counts.max().div(counts.mean()).view({1});
    sum = sum.defined() ? sum.add_(over_mean) : over_mean;
  }
  return sum;
}

}  // namespace phalanx::model

#include "model/expert_balance.h"

#include <ATen/ops/sub.h>

#include <algorithm>

namespace phalanx::model {

ExpertBalance::ExpertBalance(const config::Model& model)
    : experts_(model.experts),
      chosen_(model.experts_per_token),
      rate_(model.router.bias_balancing) {}

void ExpertBalance::take(const std::string& bias, std::int64_t first, at::Tensor counts) {
  load_[{bias, first}] = counts.clone();
  counts.zero_();
}

void ExpertBalance::move(const std::string& bias, std::int64_t first, at::Tensor values,
                         double tokens) const {
  if (rate_ == 0) return;
  const auto& counts = load_.at({bias, first});
  values.sub_(counts.sub(mean(tokens)).sign_(), rate_);
}

double ExpertBalance::busiest(double tokens) const {
  double most = 0;
  for (const auto& [run, counts] : load_) most = std::max(most, counts.max().item<double>());
  return tokens > 0 && experts_ > 0 ? most / mean(tokens) : 0;
}

double ExpertBalance::mean(double tokens) const {
  return tokens * static_cast<double>(chosen_) / static_cast<double>(experts_);
}

}  // namespace phalanx::model

#include "model/lr_schedule.h"

#include <cmath>
#include <numbers>

namespace phalanx::model {

double learning_rate(const config::Train& train, std::int64_t step) {
  const double peak = train.optimizer.lr, least = train.lr_schedule.min_lr;
  const std::int64_t warmup = train.lr_schedule.warmup;
  if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  if (step >= train.steps) return train.steps == warmup ? peak : least;
  const double progress =
      static_cast<double>(step - warmup) / static_cast<double>(train.steps - warmup);
  return least + (peak - least) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace phalanx::model

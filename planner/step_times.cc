#include "planner/step_times.h"

#include <algorithm>
#include <cmath>

namespace phalanx::planner {
namespace {

// FLOPs of a token.
struct PassFlops {
  double forward = 0, backward_input = 0, backward_weight = 0;
};

PassFlops flops_of(const config::Model& model, const layout::StageLayers& stage) {
  const auto costs = layout::forward_flops(model);
  const auto layers = static_cast<double>(stage.last - stage.first);
  const auto attention = layers * layout::attention_flops(model);
  const auto products = layers * costs.layer - attention + (stage.head ? costs.head : 0) +
                        (stage.embedding ? costs.embedding : 0);
  // Attention has two inputs for each product and no weights: its gradients all are of inputs.
  return {products + attention, products + 2 * attention, products};
}

}  // namespace

layout::Times step_times(const config::Job& job, const layout::Partition& partition) {
  std::vector<PassFlops> flops;
  for (const auto& stage : partition.stages) flops.push_back(flops_of(job.model, stage));
  const auto longest = std::ranges::max(flops, {}, &PassFlops::forward).forward;
  const auto time = [&](double of) {
    return static_cast<std::int64_t>(std::llround(of / longest * kLongest));
  };
  layout::Times times;
  for (const auto& [forward, backward_input, backward_weight] : flops)
    times.stages.push_back(
        {time(forward), time(backward_input), time(backward_weight), time(forward)});
  return times;
}

}  // namespace phalanx::planner

#include "runtime/optimizer.h"

#include <algorithm>

#include "kernels/adamw.h"

namespace phalanx::runtime {
void update_parameters(ModelState& state, const parallel::GradientBuckets& gradients,
                       ComputeWeights& weights, const config::Optimizer& optimizer,
                       double gradient_scale, double lr) {
  kernels::AdamWStep step;
  step.lr = lr;
  step.beta1 = optimizer.beta1;
  step.beta2 = optimizer.beta2;
  step.epsilon = optimizer.epsilon;
  step.gradient_scale = gradient_scale;
  step.step = state.progress.step + 1;
  for (std::size_t i = 0; i < state.parts().size(); ++i) {
    const auto& part = state.parts()[i];
    const auto gradient = gradients.reduced(i);
    for (std::size_t t = 0; t < part.bucket.held.size(); ++t) {
      const auto& tensor = part.bucket.held[t];
      const auto offset = part.bucket.flat.offsets[t] - part.begin;
      const auto begin = std::max<std::int64_t>(offset, 0);
      const auto count = std::min(offset + tensor.elements(), part.count()) - begin;
      if (count <= 0) continue;
      step.weight_decay = tensor.decay ? optimizer.weight_decay : 0;
      const auto cut = [&](const at::Tensor& all) { return all.narrow(0, begin, count); };
      kernels::adamw(cut(part.parameters), cut(gradient), cut(part.first_moment),
                     cut(part.second_moment), step, weights.rounded(i, begin, count));
    }
  }
}

}  // namespace phalanx::runtime

#include "runtime/optimizer.h"

#include <algorithm>

#include "kernels/adamw.h"

namespace phalanx::runtime {
namespace {

// Elements [begin, begin + count) of a flat tensor.
template <class T>
std::span<T> elements(const at::Tensor& tensor, std::int64_t begin, std::int64_t count) {
  return {tensor.data_ptr<T>() + begin, static_cast<std::size_t>(count)};
}

void update(StatePart& part, const at::Tensor& gradients, std::int64_t begin, std::int64_t count,
            const kernels::AdamWStep& step, std::span<c10::BFloat16> rounded) {
  if (part.parameters.scalar_type() == at::kDouble)
    kernels::adamw(elements<double>(part.parameters, begin, count),
                   elements<double>(gradients, begin, count),
                   elements<double>(part.first_moment, begin, count),
                   elements<double>(part.second_moment, begin, count), step);
  else
    kernels::adamw(elements<float>(part.parameters, begin, count),
                   elements<float>(gradients, begin, count),
                   elements<float>(part.first_moment, begin, count),
                   elements<float>(part.second_moment, begin, count), step, rounded);
}

}  // namespace

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
    auto& part = state.parts()[i];
    const auto gradient = gradients.reduced(i);
    for (std::size_t t = 0; t < part.bucket.held.size(); ++t) {
      const auto& tensor = part.bucket.held[t];
      const auto offset = part.bucket.flat.offsets[t] - part.begin;
      const auto begin = std::max<std::int64_t>(offset, 0);
      const auto count = std::min(offset + tensor.elements(), part.count()) - begin;
      if (count <= 0) continue;
      step.weight_decay = tensor.decay ? optimizer.weight_decay : 0;
      update(part, gradient, begin, count, step,
             weights.rounded(i, static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
    }
  }
}

}  // namespace phalanx::runtime

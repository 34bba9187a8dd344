#include "runtime/compute_weights.h"

#include <ATen/ops/from_blob.h>

namespace phalanx::runtime {

ComputeWeights::ComputeWeights(ModelState& state, const config::Train& train) : state_(state) {
  if (train.precision != "bf16") return;
  const parallel::MemoryScope scope(parallel::MemoryUse::kParameters);
  const auto parameters = state.parameters();
  copies_ = at::from_blob(parameters.data(), {std::ssize(parameters)}).to(at::kBFloat16);
}

parallel::Parameters ComputeWeights::views(std::span<float> gradients) {
  auto views = parameter_views(state_, gradients);
  if (!copies_.defined()) return views;
  for (std::size_t i = 0; i < state_.specs().size(); ++i) {
    const auto& spec = state_.specs()[i];
    if (spec.shape.size() == 2)
      views[spec.name].value =
          copies_.narrow(0, state_.flat().offsets[i], spec.elements()).view(spec.shape);
  }
  return views;
}

std::span<c10::BFloat16> ComputeWeights::copies(std::size_t begin, std::size_t count) {
  if (!copies_.defined()) return {};
  return {copies_.data_ptr<c10::BFloat16>() + begin, count};
}

}  // namespace phalanx::runtime

#include "runtime/model_state.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "base/check.h"
#include "model/initialize.h"

namespace phalanx::runtime {

ModelState::AlignedFloats::AlignedFloats(std::int64_t count, parallel::MemoryUse use) {
  const parallel::MemoryScope scope(use);
  storage = at::zeros({count});
}

ModelState::ModelState(const config::Model& model)
    : model_(model),
      specs_(layout::tensor_specs(model)),
      flat_(layout::flat_layout(specs_)),
      parameters_(flat_.elements, parallel::MemoryUse::kParameters),
      first_moment_(flat_.elements, parallel::MemoryUse::kOptimizer),
      second_moment_(flat_.elements, parallel::MemoryUse::kOptimizer) {}

void ModelState::initialize(std::uint64_t seed) {
  for (std::size_t i = 0; i < specs_.size(); ++i)
    model::initialize(specs_[i], model_, seed, model::whole(specs_[i]),
                      parameters().subspan(static_cast<std::size_t>(flat_.offsets[i]),
                                           static_cast<std::size_t>(specs_[i].elements())));
  std::ranges::fill(first_moment(), 0.0F);
  std::ranges::fill(second_moment(), 0.0F);
  progress = {};
}

parallel::Parameters parameter_views(ModelState& state, std::span<float> gradients) {
  parallel::Parameters views;
  for (std::size_t i = 0; i < state.specs().size(); ++i) {
    const auto& spec = state.specs()[i];
    const std::int64_t offset = state.flat().offsets[i];
    views[spec.name].value = at::from_blob(state.parameters().data() + offset, spec.shape);
    if (!gradients.empty())
      views[spec.name].gradient = at::from_blob(gradients.data() + offset, spec.shape);
  }
  return views;
}

std::span<float> region_in(std::span<float> flat, const layout::FlatLayout& layout,
                           const std::vector<layout::TensorSpec>& specs,
                           const layout::Region& region) {
  const auto spec = std::ranges::find(specs, region.tensor, &layout::TensorSpec::name);
  check(spec != specs.end(), "a region names a tensor of the model");
  for (std::size_t d = 1; d < spec->shape.size(); ++d)
    check(region.offset[d] == 0 && region.extent[d] == spec->shape[d], "a region is whole rows");
  const std::int64_t row_elements =
      spec->shape.empty() || spec->shape[0] == 0 ? 0 : spec->elements() / spec->shape[0];
  const std::int64_t begin = layout.offsets[static_cast<std::size_t>(spec - specs.begin())] +
                             region.offset[0] * row_elements;
  return flat.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(region.elements()));
}

}  // namespace phalanx::runtime

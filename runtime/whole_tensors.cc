#include "runtime/whole_tensors.h"

#include <algorithm>

namespace phalanx::runtime {
namespace {

double element(const at::Tensor& flat, std::int64_t index) {
  return flat.scalar_type() == at::kDouble ? flat.const_data_ptr<double>()[index]
                                           : double{flat.const_data_ptr<float>()[index]};
}

// Where the region's element `index` is in its whole tensor of `width` columns.
std::size_t place(const layout::Region& region, std::int64_t width, std::int64_t index) {
  if (region.extent.size() < 2) return static_cast<std::size_t>(region.offset[0] + index);
  const auto row = region.offset[0] + index / region.extent[1];
  return static_cast<std::size_t>(row * width + region.offset[1] + index % region.extent[1]);
}

}  // namespace

void add_owned_gradients(const ModelState& state, const parallel::GradientBuckets& gradients,
                         WholeTensors& whole) {
  for (const auto& spec : state.specs())
    whole[spec.name].resize(static_cast<std::size_t>(spec.elements()));
  for (std::size_t i = 0; i < state.parts().size(); ++i) {
    const auto& part = state.parts()[i];
    const auto first = part.index * part.bucket.slice();
    const auto owned = gradients.owned(i).cpu();
    for (const auto& [region, offset] :
         layout::regions_between(part.bucket, first, first + part.bucket.slice())) {
      const auto spec =
          std::ranges::find(part.bucket.tensors, region.tensor, &layout::TensorSpec::name);
      auto& values = whole[region.tensor];
      for (std::int64_t e = 0; e < region.elements(); ++e)
        values[place(region, spec->shape.back(), e)] = element(owned, offset - first + e);
    }
  }
}

}  // namespace phalanx::runtime

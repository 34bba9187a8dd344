#include "runtime/owned_state.h"

namespace phalanx::runtime {

OwnedState owned_state(const ModelState& state) {
  OwnedState owned;
  for (const auto& kind : kinds_of_state())
    for (const auto& part : state.parts()) {
      const auto first = part.index * part.bucket.slice(), behind = first + part.bucket.slice();
      const auto slice = (part.*kind.tensor).narrow(0, first - part.begin, behind - first).cpu();
      const auto values = floats_of(owned.tensors.emplace_back(slice));
      for (const auto& [region, offset] : layout::regions_between(part.bucket, first, behind))
        owned.views.push_back({kind.name, region,
                               values.subspan(static_cast<std::size_t>(offset - first),
                                              static_cast<std::size_t>(region.elements()))});
    }
  return owned;
}

}  // namespace phalanx::runtime

#include "checkpoint/state_view.h"

#include <fmt/format.h>

#include <functional>
#include <numeric>

namespace phalanx::checkpoint {

std::int64_t GlobalTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string describe(const std::string& kind, const layout::Region& region) {
  std::string box;
  for (std::size_t d = 0; d < region.offset.size(); ++d)
    box += fmt::format("{}{}:{}", d == 0 ? "" : ", ", region.offset[d],
                       region.offset[d] + region.extent[d]);
  return fmt::format("{} {} [{}]", kind, region.tensor, box);
}

}  // namespace phalanx::checkpoint

#include "layout/region.h"

#include <functional>
#include <numeric>

namespace phalanx::layout {

std::int64_t Region::elements() const {
  return std::accumulate(extent.begin(), extent.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace phalanx::layout

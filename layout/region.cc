#include "layout/region.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/check.h"

namespace phalanx::layout {

std::int64_t Region::elements() const {
  return std::accumulate(extent.begin(), extent.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<Region> owned_rows(const std::vector<TensorSpec>& specs, int parts, int part) {
  check(0 <= part && part < parts, "state is divided among parts numbered from 0 on");
  const std::int64_t total = parameter_count(specs);
  std::vector<Region> owned;
  std::int64_t before = 0;  // elements of the tensors before this one
  for (const auto& spec : specs) {
    if (spec.elements() == 0) continue;
    const std::int64_t rows = spec.shape.empty() ? 1 : spec.shape.front();
    const std::int64_t row_elements = spec.elements() / rows;
    // The rows of the first `count` parts: the row that holds their last element is theirs.
    const auto rows_of_first = [&](int count) {
      const std::int64_t end = total * count / parts - before;
      return std::clamp((end + row_elements - 1) / row_elements, std::int64_t{0}, rows);
    };
    const std::int64_t first = rows_of_first(part), last = rows_of_first(part + 1);
    before += spec.elements();
    if (first == last) continue;
    Region region{spec.name, std::vector<std::int64_t>(spec.shape.size(), 0), spec.shape};
    if (!spec.shape.empty()) {
      region.offset[0] = first;
      region.extent[0] = last - first;
    }
    owned.push_back(std::move(region));
  }
  return owned;
}

}  // namespace phalanx::layout

#include "layout/region.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/check.h"

namespace phalanx::layout {

std::int64_t Region::elements() const {
  return std::accumulate(extent.begin(), extent.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<std::vector<Region>> divide_between_rows(const std::vector<TensorSpec>& specs,
                                                     int parts) {
  check(parts > 0, "state is divided among at least one part");
  const std::int64_t total = parameter_count(specs);
  std::vector<std::vector<Region>> owned(static_cast<std::size_t>(parts));
  std::int64_t before = 0;  // elements of the tensors before this one
  for (const auto& spec : specs) {
    const std::int64_t rows = spec.shape.empty() ? 1 : spec.shape.front();
    const std::int64_t row_elements = rows == 0 ? 0 : spec.elements() / rows;
    std::int64_t row = 0;
    for (int part = 0; part < parts && row < rows; ++part) {
      // The part's run ends at this element; the row that holds it goes to the part.
      const std::int64_t end = total * (part + 1) / parts;
      const std::int64_t last =
          std::clamp((end - before + row_elements - 1) / row_elements, row, rows);
      if (last == row) continue;
      Region region{spec.name, std::vector<std::int64_t>(spec.shape.size(), 0), spec.shape};
      if (!spec.shape.empty()) {
        region.offset[0] = row;
        region.extent[0] = last - row;
      }
      owned[static_cast<std::size_t>(part)].push_back(std::move(region));
      row = last;
    }
    before += spec.elements();
  }
  return owned;
}

}  // namespace phalanx::layout

#include "checkpoint/overlap.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"

namespace phalanx::checkpoint {
namespace {

using Index = std::vector<std::int64_t>;

Index strides(const Index& extent) {
  Index stride(extent.size(), 1);
  for (std::size_t d = extent.size(); d-- > 1;) stride[d - 1] = stride[d] * extent[d];
  return stride;
}

// Where the element at global `index` lies in the memory of `region`.
std::int64_t place(const Index& index, const layout::Region& region, const Index& stride) {
  std::int64_t at = 0;
  for (std::size_t d = 0; d < index.size(); ++d) at += (index[d] - region.offset[d]) * stride[d];
  return at;
}

// Goes to the next index of `box` in its first `dimensions` dimensions; false after the last.
bool advance(Index& index, const layout::Region& box, std::size_t dimensions) {
  for (std::size_t d = dimensions; d-- > 0;) {
    if (++index[d] < box.offset[d] + box.extent[d]) return true;
    index[d] = box.offset[d];
  }
  return false;
}

}  // namespace

std::optional<layout::Region> overlap(const layout::Region& a, const layout::Region& b) {
  if (a.tensor != b.tensor || a.offset.size() != b.offset.size()) return std::nullopt;
  layout::Region shared{a.tensor, a.offset, a.extent};
  for (std::size_t d = 0; d < a.offset.size(); ++d) {
    const auto end = std::min(a.offset[d] + a.extent[d], b.offset[d] + b.extent[d]);
    shared.offset[d] = std::max(a.offset[d], b.offset[d]);
    shared.extent[d] = end - shared.offset[d];
    if (shared.extent[d] <= 0) return std::nullopt;
  }
  return shared;
}

std::int64_t copy_overlap(const layout::Region& from, std::span<const float> source,
                          const layout::Region& to, std::span<float> target) {
  check(std::cmp_equal(source.size(), from.elements()), "a region's memory has its size");
  check(std::cmp_equal(target.size(), to.elements()), "a region's memory has its size");
  const auto box = overlap(from, to);
  if (!box) return 0;
  // Trailing dimensions that all three hold whole are one run of memory, with the one before them.
  std::size_t outer = box->extent.size();
  std::int64_t run = 1;
  while (outer > 0) {
    --outer;
    run *= box->extent[outer];
    if (box->extent[outer] != from.extent[outer] || box->extent[outer] != to.extent[outer]) break;
  }
  const Index from_stride = strides(from.extent), to_stride = strides(to.extent);
  Index index = box->offset;
  do {
    std::copy_n(source.data() + place(index, from, from_stride), run,
                target.data() + place(index, to, to_stride));
  } while (advance(index, *box, outer));
  return box->elements();
}

}  // namespace phalanx::checkpoint

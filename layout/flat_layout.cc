#include "layout/flat_layout.h"

namespace phalanx::layout {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements

std::int64_t aligned(std::int64_t elements) {
  return (elements + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

FlatLayout flat_layout(const std::vector<TensorSpec>& specs) {
  FlatLayout layout;
  for (const auto& spec : specs) {
    if (!spec.joined) layout.elements = aligned(layout.elements);
    layout.offsets.push_back(layout.elements);
    layout.elements += spec.elements();
  }
  layout.elements = aligned(layout.elements);
  return layout;
}

}  // namespace phalanx::layout

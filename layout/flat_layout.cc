#include "layout/flat_layout.h"

namespace phalanx::layout {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements
// bytes: what comm keeps for each of a rank's few groups (comm/native/node_memory.h)
constexpr std::uint64_t kGroupMemory = 8 << 20;

std::int64_t aligned(std::int64_t elements) {
  return (elements + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

FlatLayout flat_layout(const std::vector<TensorSpec>& specs) {
  FlatLayout layout;
  for (const auto& spec : specs) {
    layout.offsets.push_back(layout.elements);
    layout.elements += aligned(spec.elements());
  }
  return layout;
}

std::vector<Bucket> gradient_buckets(const std::vector<TensorSpec>& specs,
                                     std::int64_t target_bytes) {
  const FlatLayout flat = flat_layout(specs);
  std::vector<Bucket> buckets;
  for (std::size_t i = specs.size(); i-- > 0;) {
    const std::int64_t elements = aligned(specs[i].elements());
    const bool full =
        buckets.empty() ||
        (buckets.back().elements + elements) * std::int64_t{sizeof(float)} > target_bytes;
    if (full) buckets.push_back({i, 0, flat.offsets[i], 0});
    Bucket& bucket = buckets.back();
    bucket.first = i;
    ++bucket.count;
    bucket.offset = flat.offsets[i];
    bucket.elements += elements;
  }
  return buckets;
}

std::uint64_t registered_bytes(const std::vector<TensorSpec>& specs) {
  return static_cast<std::uint64_t>(flat_layout(specs).elements) * sizeof(float) + kGroupMemory;
}

}  // namespace phalanx::layout

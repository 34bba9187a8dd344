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
    if (!spec.joined) layout.elements = aligned(layout.elements);
    layout.offsets.push_back(layout.elements);
    layout.elements += spec.elements();
  }
  layout.elements = aligned(layout.elements);
  return layout;
}

std::vector<Bucket> gradient_buckets(const std::vector<TensorSpec>& specs,
                                     std::int64_t target_bytes) {
  const FlatLayout flat = flat_layout(specs);
  std::vector<Bucket> buckets;
  std::int64_t end = flat.elements;
  for (std::size_t last = specs.size(); last > 0;) {
    std::size_t first = last - 1;
    while (specs[first].joined) --first;
    const std::int64_t elements = end - flat.offsets[first];
    const bool full =
        buckets.empty() ||
        (buckets.back().elements + elements) * std::int64_t{sizeof(float)} > target_bytes;
    if (full) buckets.push_back({});
    Bucket& bucket = buckets.back();
    bucket.first = first;
    bucket.count += last - first;
    bucket.offset = end = flat.offsets[first];
    bucket.elements += elements;
    last = first;
  }
  return buckets;
}

std::uint64_t registered_bytes(const config::Job& job) {
  const auto elements = static_cast<std::uint64_t>(flat_layout(tensor_specs(job.model)).elements);
  return elements * (job.parallel.gradient_wire == "bf16" ? 2 : 4) + kGroupMemory;
}

}  // namespace phalanx::layout

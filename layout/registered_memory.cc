#include "layout/registered_memory.h"

#include <algorithm>

#include "layout/element_bytes.h"
#include "layout/partition.h"

namespace phalanx::layout {
namespace {

// bytes: what comm keeps for a rank's world and gradient groups, and for each axis beside them with
// its members (comm/native/node_memory.h)
constexpr std::uint64_t kGroupMemory = 10 << 20, kAxisMemory = 3 << 20, kMemberMemory = 320 << 10;

std::uint64_t axes_memory(const MeshSizes& sizes) {
  std::uint64_t bytes = 0;
  // The replicas of experts are not those of the rest.
  const int of_experts = sizes.data * sizes.context * sizes.tensor / sizes.expert;
  for (const int members : {sizes.tensor, sizes.pipeline, sizes.context, sizes.expert,
                            sizes.expert > 1 ? of_experts : 1})
    if (members > 1) bytes += kAxisMemory + static_cast<std::uint64_t>(members) * kMemberMemory;
  return bytes;
}

}  // namespace

std::uint64_t registered_bytes(const config::Job& job) {
  const auto partition = layout::partition(job);
  const auto& sizes = partition.mesh.sizes();
  const auto each = element_bytes(job);
  std::int64_t most = 0;
  for (int pipeline = 0; pipeline < sizes.pipeline; ++pipeline)
    for (int tensor = 0; tensor < sizes.tensor; ++tensor) {
      std::int64_t bytes = 0;
      const int rank = partition.mesh.rank({pipeline, 0, 0, tensor});
      for (const auto& bucket : buckets(job.model, partition, rank, kBucketBytes))
        if (!bucket.gradients_in_runs) bytes += bucket.flat.elements * wire_bytes(bucket, each);
      most = std::max(most, bytes);
    }
  return static_cast<std::uint64_t>(most) + kGroupMemory + axes_memory(sizes);
}

}  // namespace phalanx::layout

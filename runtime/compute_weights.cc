#include "runtime/compute_weights.h"

#include "base/check.h"
#include "parallel/tensor_buffer.h"
#include "parallel/tensor_memory.h"

namespace phalanx::runtime {
namespace {

bool is_rounded(const StatePart& part, const std::string& precision) {
  return precision == "bf16" && part.bucket.holds_matrices();
}

}  // namespace

ComputeWeights::ComputeWeights(ModelState& state, const MeshGroups& groups,
                               const std::string& precision)
    : state_(state), groups_(groups) {
  const parallel::MemoryScope scope(parallel::MemoryUse::kParameters);
  for (const auto& part : state.parts()) {
    const auto source =
        is_rounded(part, precision) ? part.parameters.to(at::kBFloat16) : part.parameters;
    const auto& bucket = part.bucket;
    parallel::FlatTensor flat = bucket.sharded ? parallel::FlatTensor(bucket, source.options())
                                               : parallel::FlatTensor(bucket, source);
    if (!bucket.parameters_in_runs) flat.acquire();
    for (const auto& tensor : bucket.tensors) bucket_of_[tensor.name] = entries_.size();
    entries_.push_back({std::move(flat), source, {}, false});
  }
}

at::Tensor ComputeWeights::view(std::size_t bucket, std::size_t index) const {
  return entries_[bucket].flat.view(state_.parts()[bucket].bucket, index);
}

at::Tensor ComputeWeights::rounded(std::size_t part, std::int64_t begin, std::int64_t count) const {
  const auto& source = entries_[part].source;
  return source.scalar_type() == at::kBFloat16 ? source.narrow(0, begin, count) : at::Tensor();
}

void ComputeWeights::gather_changes() {
  // The last buckets hold what the forward pass begins with.
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const auto& bucket = state_.parts()[i].bucket;
    if (bucket.sharded && !bucket.parameters_in_runs) start_gather(i);
  }
}

void ComputeWeights::gather(int chunk) {
  const parallel::MemoryScope scope(parallel::MemoryUse::kParameters);
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const auto& bucket = state_.parts()[i].bucket;
    if (bucket.chunk != chunk || !bucket.parameters_in_runs || entries_[i].flat.held()) continue;
    entries_[i].flat.acquire();
    start_gather(i);
  }
}

void ComputeWeights::free(int chunk) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto& bucket = state_.parts()[i].bucket;
    if (bucket.chunk != chunk || !bucket.parameters_in_runs) continue;
    check(!entries_[i].coming, "gathered parameters are used before they are freed");
    entries_[i].flat.release();
  }
}

void ComputeWeights::await(const parallel::Block& block) {
  for (const auto& name : block.parameters()) await(entries_[bucket_of_.at(name)]);
}

void ComputeWeights::await(Entry& entry) {
  if (!entry.coming) return;
  entry.work.wait(comm::DeviceStream{});
  entry.coming = false;
}

void ComputeWeights::start_gather(std::size_t bucket) {
  auto& entry = entries_[bucket];
  entry.work = groups_.buckets[bucket].group->all_gather(parallel::buffer_of(entry.source),
                                                         parallel::buffer_of(entry.flat.all()));
  entry.coming = true;
}

}  // namespace phalanx::runtime

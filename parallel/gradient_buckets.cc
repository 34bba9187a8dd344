#include "parallel/gradient_buckets.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <numeric>

#include "base/check.h"
#include "parallel/tensor_buffer.h"

namespace phalanx::parallel {
namespace {

// Memory that the replicas reach directly.
at::Tensor registered(comm::Group& group, std::int64_t elements, const at::TensorOptions& options) {
  const auto bytes = static_cast<std::size_t>(elements) * options.dtype().itemsize();
  return at::for_blob(group.allocate(bytes).data(), {elements})
      .options(options)
      .target_device(options.device())
      .make_tensor();
}

// All gradients of a bucket, and as they travel if that stays.
std::pair<FlatTensor, at::Tensor> make_flat(const ReplicatedBucket& replicated,
                                            const at::TensorOptions& options, at::ScalarType wire) {
  const auto& [bucket, group] = replicated;
  const auto elements = bucket.flat.elements;
  if (bucket.gradients_in_runs) return {{bucket, options}, {}};
  if (!group) return {{bucket, at::zeros({elements}, options)}, {}};
  const auto sent = registered(*group, elements, options.dtype(wire));
  const bool as_it_is = options.dtype() == sent.dtype();
  return {{bucket, as_it_is ? sent : at::zeros({elements}, options)}, sent};
}

}  // namespace

GradientBuckets::GradientBuckets(const std::vector<ReplicatedBucket>& buckets,
                                 layout::GradientPolicy policy, at::TensorOptions options,
                                 at::ScalarType wire)
    : buckets_(buckets),
      policy_(policy),
      options_(options),
      wire_(wire),
      registered_(MemoryUse::kGradients, registered_bytes()) {
  const MemoryScope scope(MemoryUse::kGradients);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    auto [flat, sent] = make_flat(buckets[i], options, wire_of(bucket(i)));
    entries_.push_back({std::move(flat), {}, std::move(sent), {}, {}, false, 0});
    if (bucket(i).sharded) entries_[i].slice = at::zeros({bucket(i).slice()}, options);
    for (const auto& tensor : bucket(i).tensors) bucket_of_[tensor.name] = i;
    expect_uses(i);
  }
}

at::ScalarType GradientBuckets::wire_of(const layout::Bucket& bucket) const {
  return bucket.holds_matrices() ? wire_ : c10::typeMetaToScalarType(options_.dtype());
}

std::int64_t GradientBuckets::registered_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [bucket, group] : buckets_)
    if (group && !bucket.gradients_in_runs)
      bytes += bucket.flat.elements * static_cast<std::int64_t>(c10::elementSize(wire_of(bucket)));
  return bytes;
}

at::Tensor GradientBuckets::view(std::size_t bucket, std::size_t index) const {
  return entries_[bucket].flat.view(buckets_[bucket].bucket, index);
}

void GradientBuckets::begin_step() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!bucket(i).gradients_in_runs) entries_[i].flat.all().zero_();
    if (bucket(i).sharded) entries_[i].slice.zero_();
  }
}

void GradientBuckets::begin_pass(int chunk) {
  const MemoryScope scope(MemoryUse::kGradients);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (bucket(i).chunk != chunk || !bucket(i).gradients_in_runs) continue;
    if (entries_[i].started) settle_run(i);
    if (entries_[i].flat.held()) continue;
    entries_[i].flat.acquire();
    entries_[i].flat.all().zero_();
  }
}

void GradientBuckets::complete(const std::string& tensor) {
  const std::size_t index = bucket_of_.at(tensor);
  if (is_late(index)) return;
  check(entries_[index].missing > 0, "each use of a gradient is complete once before a reduce");
  --entries_[index].missing;
  start_complete_buckets(bucket(index).chunk);
}

void GradientBuckets::reduce(int chunk) {
  if (policy_ != layout::GradientPolicy::kPerRun) return;
  // While the next run computes, this one's sums are on their way: those before have had that time.
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (bucket(i).gradients_in_runs && bucket(i).chunk != chunk && entries_[i].started)
      settle_run(i);
}

void GradientBuckets::finish_step() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (bucket(i).gradients_in_runs && entries_[i].started) settle_run(i);
    if (is_late(i)) start(i);
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (bucket(i).gradients_in_runs) continue;
    check(entries_[i].started, "every gradient is complete at the end of the step");
    finish(i);
    expect_uses(i);
  }
}

at::Tensor GradientBuckets::reduced(std::size_t bucket) const {
  return entries_[bucket].slice.defined() ? entries_[bucket].slice : entries_[bucket].flat.all();
}

at::Tensor GradientBuckets::owned(std::size_t bucket) const {
  if (entries_[bucket].slice.defined()) return entries_[bucket].slice;
  return entries_[bucket].flat.slice(buckets_[bucket].index());
}

bool GradientBuckets::is_late(std::size_t index) const {
  return policy_ == layout::GradientPolicy::kPerRun && !bucket(index).gradients_in_runs;
}

void GradientBuckets::expect_uses(std::size_t index) {
  const auto& uses = bucket(index).uses;
  entries_[index].missing = std::accumulate(uses.begin(), uses.end(), 0);
  entries_[index].started = false;
}

void GradientBuckets::start_complete_buckets(int chunk) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (bucket(i).chunk != chunk || entries_[i].started || is_late(i)) continue;
    if (entries_[i].missing > 0) return;
    start(i);
  }
}

void GradientBuckets::start(std::size_t index) {
  const MemoryScope scope(MemoryUse::kGradients);
  auto& entry = entries_[index];
  entry.started = true;
  if (!buckets_[index].group) return;
  auto& group = *buckets_[index].group;
  const auto& all = entry.flat.all();
  if (bucket(index).gradients_in_runs)
    entry.sent = all.to(wire_);
  else if (all.scalar_type() != entry.sent.scalar_type())
    entry.sent.copy_(all);
  if (!bucket(index).sharded) {
    entry.arriving = entry.sent;
    entry.work = group.all_reduce(buffer_of(entry.sent));
  } else {
    entry.arriving = at::empty_like(entry.slice, entry.slice.options().dtype(wire_));
    entry.work = group.reduce_scatter(buffer_of(entry.sent), buffer_of(entry.arriving));
  }
}

// The sum has arrived, and is where it belongs.
void GradientBuckets::finish(std::size_t index) {
  const MemoryScope scope(MemoryUse::kGradients);
  auto& entry = entries_[index];
  if (!buckets_[index].group) return;
  entry.work.wait(comm::DeviceStream{});
  if (bucket(index).sharded)
    entry.slice.add_(entry.arriving);
  else if (entry.arriving.scalar_type() != entry.flat.all().scalar_type())
    entry.flat.all().copy_(entry.arriving);
  entry.arriving = at::Tensor();
}

void GradientBuckets::settle_run(std::size_t index) {
  auto& entry = entries_[index];
  finish(index);
  entry.sent = at::Tensor();
  entry.flat.release();
  expect_uses(index);
}

}  // namespace phalanx::parallel

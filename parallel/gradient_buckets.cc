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
at::Tensor registered(comm::Group& group, std::int64_t elements, at::ScalarType type) {
  const auto bytes = static_cast<std::size_t>(elements) * c10::elementSize(type);
  return at::from_blob(group.allocate(bytes).data(), {elements}, type);
}

FlatTensor make_flat(const ReplicatedBucket& replicated, at::ScalarType type) {
  const auto& [bucket, group] = replicated;
  if (bucket.gradients_in_runs) return {bucket, type};
  const auto elements = bucket.flat.elements;
  return {bucket, group ? registered(*group, elements, type) : at::zeros({elements}, type)};
}

}  // namespace

GradientBuckets::GradientBuckets(const std::vector<ReplicatedBucket>& buckets,
                                 layout::GradientPolicy policy, at::ScalarType type)
    : buckets_(buckets), policy_(policy) {
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    entries_.push_back({make_flat(buckets[i], type), {}, {}, {}, false, 0});
    if (bucket(i).sharded) entries_[i].slice = at::zeros({bucket(i).slice()}, type);
    for (const auto& tensor : bucket(i).tensors) bucket_of_[tensor.name] = i;
    expect_uses(i);
  }
}

at::Tensor GradientBuckets::view(std::size_t bucket, std::size_t index) const {
  return entries_[bucket].flat.view(buckets_[bucket].bucket, index);
}

void GradientBuckets::begin_step() {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    (bucket(i).gradients_in_runs ? entries_[i].slice : entries_[i].flat.all()).zero_();
}

void GradientBuckets::begin_pass(int chunk) {
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
    if (buckets_[i].group) entries_[i].work.wait();
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
  auto& entry = entries_[index];
  entry.started = true;
  if (!buckets_[index].group) return;
  auto& group = *buckets_[index].group;
  if (!bucket(index).sharded) {
    entry.work = group.all_reduce(buffer_of(entry.flat.all()));
    return;
  }
  entry.arriving = bucket(index).gradients_in_runs ? at::empty_like(entry.slice) : entry.slice;
  entry.work = group.reduce_scatter(buffer_of(entry.flat.all()), buffer_of(entry.arriving));
}

void GradientBuckets::settle_run(std::size_t index) {
  auto& entry = entries_[index];
  entry.work.wait();
  entry.slice.add_(entry.arriving);
  entry.arriving = at::Tensor();
  entry.flat.release();
  expect_uses(index);
}

}  // namespace phalanx::parallel

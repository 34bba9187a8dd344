#include "parallel/gradient_buckets.h"

#include <algorithm>

#include "base/check.h"
#include "comm/combine.h"

namespace phalanx::parallel {
namespace {

// Nothing to do where both are the same memory.
void convert(comm::ConstBuffer from, comm::Buffer to) {
  comm::convert({static_cast<const std::byte*>(from.data), from.type},
                static_cast<std::byte*>(to.data), to.type, to.count);
}

}  // namespace

GradientBuckets::GradientBuckets(std::shared_ptr<comm::Group> group,
                                 const std::vector<layout::TensorSpec>& specs,
                                 std::int64_t bucket_bytes, comm::ElementType wire)
    : group_(std::move(group)), buckets_(layout::gradient_buckets(specs, bucket_bytes)) {
  const auto elements = static_cast<std::size_t>(layout::flat_layout(specs).elements);
  const auto memory = group_->allocate(elements * comm::element_size(wire));
  wire_ = {memory.data(), elements, wire};
  if (wire != comm::ElementType::kFloat32) own_.resize(elements / std::size(Line{}.elements));
  void* const flat = own_.empty() ? wire_.data : own_.data();
  flat_ = {static_cast<float*>(flat), elements};
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    missing_.push_back(buckets_[i].count);
    for (std::size_t t = 0; t < buckets_[i].count; ++t)
      bucket_of_[specs[buckets_[i].first + t].name] = i;
  }
}

void GradientBuckets::complete(const std::string& tensor) {
  const std::size_t bucket = bucket_of_.at(tensor);
  check(missing_[bucket] > 0, "a gradient is complete once a step");
  --missing_[bucket];
  start_complete_buckets();
}

void GradientBuckets::complete_all() {
  std::ranges::fill(missing_, 0);
  start_complete_buckets();
}

void GradientBuckets::start_complete_buckets() {
  while (started_.size() < buckets_.size() && missing_[started_.size()] == 0) {
    const auto& bucket = buckets_[started_.size()];
    convert(part(bucket), wire(bucket));
    started_.push_back(group_->all_reduce(wire(bucket)));
  }
}

void GradientBuckets::wait() {
  check(started_.size() == buckets_.size(), "every gradient is complete before the wait");
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    started_[i].wait();
    convert(wire(buckets_[i]), part(buckets_[i]));
  }
  started_.clear();
  for (std::size_t i = 0; i < buckets_.size(); ++i) missing_[i] = buckets_[i].count;
}

std::span<float> GradientBuckets::part(const layout::Bucket& bucket) const {
  return flat_.subspan(static_cast<std::size_t>(bucket.offset),
                       static_cast<std::size_t>(bucket.elements));
}

comm::Buffer GradientBuckets::wire(const layout::Bucket& bucket) const {
  const auto offset = static_cast<std::size_t>(bucket.offset) * comm::element_size(wire_.type);
  return {static_cast<std::byte*>(wire_.data) + offset, static_cast<std::size_t>(bucket.elements),
          wire_.type};
}

}  // namespace phalanx::parallel

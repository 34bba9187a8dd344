#include "parallel/gradient_buckets.h"

#include <algorithm>

#include "base/check.h"

namespace phalanx::parallel {

GradientBuckets::GradientBuckets(std::shared_ptr<comm::Group> group,
                                 std::vector<layout::TensorSpec> specs, std::int64_t bucket_bytes)
    : group_(std::move(group)),
      buckets_(layout::gradient_buckets(specs, bucket_bytes)),
      counted_(MemoryUse::kGradients,
               layout::flat_layout(specs).elements * std::int64_t{sizeof(float)}) {
  const auto elements = static_cast<std::size_t>(layout::flat_layout(specs).elements);
  const auto memory = group_->allocate(elements * sizeof(float));
  flat_ = {reinterpret_cast<float*>(memory.data()), elements};
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
    started_.push_back(group_->all_reduce(flat_.subspan(
        static_cast<std::size_t>(bucket.offset), static_cast<std::size_t>(bucket.elements))));
  }
}

void GradientBuckets::wait() {
  check(started_.size() == buckets_.size(), "every gradient is complete before the wait");
  for (auto& work : started_) work.wait();
  started_.clear();
  for (std::size_t i = 0; i < buckets_.size(); ++i) missing_[i] = buckets_[i].count;
}

}  // namespace phalanx::parallel

#include "layout/flat_layout.h"

#include <gtest/gtest.h>

namespace phalanx::layout {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<std::int64_t>& sizes) {
  std::vector<TensorSpec> specs;
  for (const auto size : sizes) specs.push_back({std::to_string(specs.size()), {size}});
  return specs;
}

TEST(FlatLayout, AlignsEveryTensorTo64Bytes) {
  const auto specs = specs_of({1, 16, 17, 100});
  const auto flat = flat_layout(specs);
  EXPECT_EQ(flat.offsets, (std::vector<std::int64_t>{0, 16, 32, 64}));
  EXPECT_EQ(flat.elements, 64 + 112);
}

TEST(FlatLayout, LeavesNoGapBetweenJoinedTensors) {
  auto specs = specs_of({1, 17, 3, 5, 7});
  specs[2].joined = specs[3].joined = true;
  const auto flat = flat_layout(specs);
  EXPECT_EQ(flat.offsets, (std::vector<std::int64_t>{0, 16, 33, 36, 48}));
  EXPECT_EQ(flat.elements, 64);
}

TEST(FlatLayout, RegistersGradientsInTheTypeInWhichTheyTravel) {
  config::Job job;
  job.model = {"llama", 2, 64, 4, 2, 96, 24, 257};
  const auto wide = registered_bytes(job);
  job.parallel.gradient_wire = "bf16";
  const auto elements = flat_layout(tensor_specs(job.model)).elements;
  EXPECT_EQ(wide - registered_bytes(job), static_cast<std::uint64_t>(2 * elements));
}

TEST(GradientBuckets, KeepJoinedTensorsTogether) {
  auto specs = specs_of({20, 17, 3, 5, 7});
  specs[2].joined = specs[3].joined = true;
  const auto buckets = gradient_buckets(specs, 1);
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[1].first, 1u);
  EXPECT_EQ(buckets[1].count, 3u);
  EXPECT_EQ(buckets[1].offset, 32);
  EXPECT_EQ(buckets[1].elements, 32);
}

TEST(GradientBuckets, HoldEveryTensorOnceTheLastFirst) {
  const auto specs = specs_of({1000, 10, 10, 5000, 10, 300});
  const auto flat = flat_layout(specs);
  for (const std::int64_t target : {1, 1200, 4096, 1 << 20}) {
    std::size_t expected_end = specs.size();
    std::int64_t end = flat.elements;
    for (const auto& bucket : gradient_buckets(specs, target)) {
      EXPECT_EQ(bucket.first + bucket.count, expected_end);
      EXPECT_EQ(bucket.offset + bucket.elements, end);
      EXPECT_TRUE(bucket.count == 1 || bucket.elements * 4 <= target);
      expected_end = bucket.first;
      end = bucket.offset;
    }
    EXPECT_EQ(expected_end, 0u);
    EXPECT_EQ(end, 0);
  }
}

}  // namespace
}  // namespace phalanx::layout

#include "parallel/gradient_buckets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/philox.h"
#include "tests/parallel/ranks_as_threads.h"

namespace phalanx::parallel {
namespace {

constexpr int kSteps = 2;

// What happens to the gradients: ZeRO's stage, and how often a step's schedule reduces them.
struct Sharding {
  int zero_stage = 0;
  int runs = 1;
};

// Three buckets, the second one of two tensors that fill no cache line.
std::vector<layout::Bucket> buckets_of(const std::vector<int>& nodes, int zero_stage) {
  const std::vector<std::vector<layout::TensorSpec>> tensors{
      {{"fourth", {50, 100}}}, {{"second", {17, 1}}, {"third", {3, 1}}}, {{"first", {10, 100}}}};
  std::vector<layout::Bucket> buckets;
  for (const auto& specs : tensors) {
    layout::Bucket bucket;
    for (std::size_t rank = 0; rank < nodes.size(); ++rank)
      bucket.replicas.push_back(static_cast<int>(rank));
    bucket.tensors = bucket.held = specs;
    bucket.uses.assign(specs.size(), 1);
    bucket.flat = layout::flat_layout(specs);
    const auto unit = 16 * std::ssize(nodes);
    bucket.flat.elements = (bucket.flat.elements + unit - 1) / unit * unit;
    bucket.sharded = zero_stage >= 1;
    bucket.gradients_in_runs = zero_stage >= 2;
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

// Of both signs and several orders of magnitude, with all the digits of fp32.
float gradient(int rank, int step, std::size_t element) {
  const auto random = random_block(7, stable_hash("gradient"),
                                   static_cast<std::uint32_t>(100 * step + rank), element);
  const auto value = static_cast<float>(static_cast<std::int32_t>(random[0]));
  return std::ldexp(value, -31 - static_cast<int>(random[1] % 12));
}

struct Sum {
  double value = 0, magnitude = 0;  // of the numbers, and of what each is without its sign
};

Sum expected(std::size_t ranks, int step, std::size_t element) {
  Sum sum;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const double one = gradient(static_cast<int>(rank), step, element);
    sum.value += one;
    sum.magnitude += std::abs(one);
  }
  return sum;
}

// Every rank adds its own gradients, in halves where there are two runs, the last tensor first.
void add_gradients(GradientBuckets& gradients, const std::vector<ReplicatedBucket>& buckets,
                   int rank, int step, int runs) {
  for (int run = 0; run < runs; ++run) {
    gradients.begin_pass(0);
    std::size_t element = 0;
    for (std::size_t b = 0; b < buckets.size(); ++b)
      for (std::size_t t = buckets[b].bucket.tensors.size(); t-- > 0;) {
        auto view = gradients.view(b, t);
        for (std::int64_t i = 0; i < view.numel(); ++i)
          view.data_ptr<float>()[i] += gradient(rank, step, element++) / static_cast<float>(runs);
        gradients.complete(buckets[b].bucket.tensors[t].name);
      }
    gradients.reduce(0);
  }
}

// What all ranks together own after each step, padding included, the buckets one after another.
std::vector<std::vector<float>> sums(const std::vector<int>& nodes, at::ScalarType wire,
                                     Sharding sharding = {}) {
  const auto plain = buckets_of(nodes, sharding.zero_stage);
  std::size_t elements = 0;
  for (const auto& bucket : plain) elements += static_cast<std::size_t>(bucket.flat.elements);
  std::vector<std::vector<float>> found(kSteps, std::vector<float>(elements));
  on_ranks(nodes, 8 << 20, [&](const std::shared_ptr<comm::Group>& group) {
    std::vector<ReplicatedBucket> buckets;
    for (const auto& bucket : plain) buckets.push_back({bucket, group});
    const auto policy = sharding.zero_stage >= 2 ? layout::GradientPolicy::kPerRun
                                                 : layout::GradientPolicy::kOncePerStep;
    GradientBuckets gradients(buckets, policy, at::kFloat, wire);
    for (int step = 0; step < kSteps; ++step) {
      gradients.begin_step();
      add_gradients(gradients, buckets, group->rank(), step, sharding.runs);
      gradients.finish_step();
      std::size_t offset = 0;
      for (std::size_t b = 0; b < buckets.size(); ++b) {
        const auto owned = gradients.owned(b);
        const auto begin = offset + static_cast<std::size_t>(group->rank() * owned.numel());
        std::copy_n(
            owned.const_data_ptr<float>(), owned.numel(),
            found[static_cast<std::size_t>(step)].begin() + static_cast<std::ptrdiff_t>(begin));
        offset += static_cast<std::size_t>(plain[b].flat.elements);
      }
    }
    group->barrier().wait();
  });
  return found;
}

// `unit`: by how much rounding may move a number, relative to it.
void expect_sums_within(double unit, at::ScalarType wire, Sharding sharding = {}) {
  const std::vector<int> nodes{0, 0, 0};
  const auto found = sums(nodes, wire, sharding);
  for (int step = 0; step < kSteps; ++step) {
    std::size_t element = 0, offset = 0;
    for (const auto& bucket : buckets_of(nodes, 0)) {
      for (std::size_t t = bucket.tensors.size(); t-- > 0;)
        for (std::int64_t i = 0; i < bucket.tensors[t].elements(); ++i) {
          const Sum sum = expected(nodes.size(), step, element++);
          const double slack = unit * (sum.magnitude + std::abs(sum.value)) * 1.01;
          const auto at = offset + static_cast<std::size_t>(bucket.flat.offsets[t] + i);
          ASSERT_NEAR(found[static_cast<std::size_t>(step)][at], sum.value, slack)
              << bucket.tensors[t].name << ' ' << i << " of step " << step;
        }
      offset += static_cast<std::size_t>(bucket.flat.elements);
    }
  }
}

TEST(GradientBuckets, HoldTheRanksSumsAfterEveryStep) { expect_sums_within(0x1p-23, at::kFloat); }

TEST(GradientBuckets, HoldTheRanksSumsOfEveryRunWhenSharded) {
  for (const auto& sharding : {Sharding{1, 1}, Sharding{2, 1}, Sharding{3, 2}})
    expect_sums_within(0x1p-22, at::kFloat, sharding);
}

TEST(GradientBuckets, InBf16OnTheWireAreOffByItsRoundingAndNoMore) {
  expect_sums_within(0x1p-8, at::kBFloat16);
  expect_sums_within(0x1p-8, at::kBFloat16, {1, 1});
  expect_sums_within(0x1p-7, at::kBFloat16, {2, 2});
}

TEST(GradientBuckets, InBf16OnTheWireAreBf16OnceSummed) {
  const auto found = sums({0, 1}, at::kBFloat16);
  for (const float sum : found.back())
    ASSERT_EQ(std::bit_cast<std::uint32_t>(sum) & 0xFFFF, 0u) << sum;
}

// Some count tokens.
TEST(GradientBuckets, OfVectorsAreNotRoundedOnTheWire) {
  auto plain = buckets_of({0, 0}, 0);
  plain.erase(plain.begin() + 1, plain.end());
  plain.front().tensors.front().shape = plain.front().held.front().shape = {5000};
  on_ranks({0, 0}, 8 << 20, [&](const std::shared_ptr<comm::Group>& group) {
    const std::vector<ReplicatedBucket> buckets{{plain.front(), group}};
    GradientBuckets gradients(buckets, layout::GradientPolicy::kOncePerStep, at::kFloat,
                              at::kBFloat16);
    gradients.begin_step();
    gradients.begin_pass(0);
    gradients.view(0, 0).fill_(1000 + group->rank());
    gradients.complete("fourth");
    gradients.finish_step();
    EXPECT_EQ(gradients.reduced(0)[4999].item<float>(), 2001);
    group->barrier().wait();
  });
}

TEST(GradientBuckets, AreTheSameBitsOnOneTwoAndFourNodes) {
  for (const auto wire : {at::kFloat, at::kBFloat16})
    for (const auto& sharding : {Sharding{}, Sharding{1, 1}, Sharding{2, 2}}) {
      const auto one_node = sums({0, 0, 0, 0}, wire, sharding);
      for (const auto& nodes : {std::vector{0, 0, 1, 1}, {0, 1, 0, 1}, {0, 0, 0, 1}, {0, 1, 2, 3}})
        EXPECT_EQ(sums(nodes, wire, sharding), one_node) << testing::PrintToString(nodes);
    }
}

}  // namespace
}  // namespace phalanx::parallel

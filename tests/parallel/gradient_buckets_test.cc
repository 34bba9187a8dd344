#include "parallel/gradient_buckets.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/philox.h"
#include "tests/parallel/ranks_as_threads.h"

namespace phalanx::parallel {
namespace {

constexpr auto kFloat32 = comm::ElementType::kFloat32, kBFloat16 = comm::ElementType::kBFloat16;
constexpr int kSteps = 2;

// Three buckets of up to 4 KiB, the second one of two tensors that fill no cache line.
const std::vector<layout::TensorSpec>& specs() {
  static const std::vector<layout::TensorSpec> specs{
      {"first", {1000}}, {"second", {17}}, {"third", {3}}, {"fourth", {5000}}};
  return specs;
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

// What rank `reporter` holds after each step, in which every rank completes its own gradients, the
// last tensor first.
std::vector<std::vector<float>> sums(const std::vector<int>& nodes, comm::ElementType wire,
                                     int reporter) {
  std::vector<std::vector<float>> found;
  on_ranks(nodes, 8 << 20, [&](const std::shared_ptr<comm::Group>& group) {
    GradientBuckets buckets(group, specs(), 4096, wire);
    const auto flat = buckets.flat();
    for (int step = 0; step < kSteps; ++step) {
      for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = gradient(group->rank(), step, i);
      for (auto spec = specs().rbegin(); spec != specs().rend(); ++spec)
        buckets.complete(spec->name);
      buckets.wait();
      if (group->rank() == reporter) found.emplace_back(flat.begin(), flat.end());
    }
    group->barrier().wait();
  });
  return found;
}

// `unit`: by how much rounding may move a number, relative to it.
void expect_sums_within(double unit, comm::ElementType wire) {
  const std::vector<int> nodes{0, 0, 0};
  const auto found = sums(nodes, wire, 2);
  ASSERT_EQ(found.size(), std::size_t{kSteps});
  for (int step = 0; step < kSteps; ++step)
    for (std::size_t i = 0; i < found[0].size(); ++i) {
      const Sum sum = expected(nodes.size(), step, i);
      const double slack = unit * (sum.magnitude + std::abs(sum.value)) * 1.01;
      ASSERT_NEAR(found[static_cast<std::size_t>(step)][i], sum.value, slack)
          << "element " << i << " of step " << step;
    }
}

TEST(GradientBuckets, HoldTheRanksSumsAfterEveryStep) { expect_sums_within(0x1p-23, kFloat32); }

TEST(GradientBuckets, InBf16OnTheWireAreOffByItsRoundingAndNoMore) {
  expect_sums_within(0x1p-8, kBFloat16);
}

TEST(GradientBuckets, InBf16OnTheWireAreBf16OnceSummed) {
  for (const float sum : sums({0, 1}, kBFloat16, 0).back())
    ASSERT_EQ(std::bit_cast<std::uint32_t>(sum) & 0xFFFF, 0u) << sum;
}

TEST(GradientBuckets, AreTheSameBitsOnEveryRankOfOneTwoAndFourNodes) {
  for (const auto wire : {kFloat32, kBFloat16}) {
    const auto one_node = sums({0, 0, 0, 0}, wire, 0);
    for (const auto& nodes :
         {std::vector{0, 0, 0, 0}, {0, 0, 1, 1}, {0, 1, 0, 1}, {0, 0, 0, 1}, {0, 1, 2, 3}})
      EXPECT_EQ(sums(nodes, wire, 3), one_node)
          << comm::element_type_name(wire) << " " << testing::PrintToString(nodes);
  }
}

}  // namespace
}  // namespace phalanx::parallel

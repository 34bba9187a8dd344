#include "data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace phalanx::data {
namespace {

using Samples = std::vector<std::uint64_t>;

TEST(Sampler, TakesEverySequenceOnceInEachEpoch) {
  for (const std::uint64_t n :
       {1,  2,   3,   4,   5,   7,    8,    15,   16,   17,   31,   63,    64,   65,
        97, 100, 255, 256, 257, 1000, 1009, 1024, 4095, 4096, 4097, 65536, 65537})
    for (const std::uint64_t seed : {0ull, 1ull, ~0ull})
      for (const std::uint64_t epoch : {0, 1, 2, 1000}) {
        Samples samples = Sampler(seed, n).samples(epoch * n, n);
        std::sort(samples.begin(), samples.end());
        ASSERT_EQ(samples.size(), n);
        for (std::uint64_t i = 0; i < n; ++i) ASSERT_EQ(samples[i], i) << n << " " << epoch;
      }
}

TEST(Sampler, GivesTheSameOrderHoweverTheRangeIsCut) {
  const Sampler sampler(7, 103);
  const Samples whole = sampler.samples(50, 400);
  for (const std::uint64_t step : {1, 2, 3, 16, 103, 250}) {
    Samples cut;
    for (std::uint64_t at = 0; at < 400; at += step) {
      const Samples part = sampler.samples(50 + at, std::min<std::uint64_t>(step, 400 - at));
      cut.insert(cut.end(), part.begin(), part.end());
    }
    EXPECT_EQ(cut, whole) << step;
  }
  EXPECT_EQ(sampler.samples(60, 0), Samples{});
}

TEST(Sampler, OrdersEachEpochAndEachSeedAnew) {
  const Sampler sampler(1, 1000);
  const Samples first = sampler.samples(0, 1000);
  EXPECT_NE(first, sampler.samples(1000, 1000));
  EXPECT_NE(first, Sampler(2, 1000).samples(0, 1000));
  EXPECT_NE(first, Sampler(1, 1001).samples(0, 1000));
  EXPECT_EQ(first, Sampler(1, 1000).samples(0, 1000));
}

// What a job was trained on must not change with a release: a resumed run would use samples twice.
TEST(Sampler, KeepsItsOrderForEver) {
  EXPECT_EQ(Sampler(1, 10).samples(0, 20),
            (Samples{3, 8, 2, 5, 6, 0, 4, 1, 7, 9, 4, 6, 8, 3, 7, 2, 9, 1, 0, 5}));
  EXPECT_EQ(Sampler(42, 1'000'000'007).samples(5'000'000'000, 3),
            (Samples{636699728, 463155231, 939648614}));
}

TEST(Sampler, LooksRandom) {
  constexpr std::uint64_t kCount = 20000;
  const Samples samples = Sampler(3, kCount).samples(0, kCount);
  // A random permutation has one fixed point and one neighbour kept on average; 20 would be a
  // wonder.
  int fixed = 0, neighbours = 0;
  double distance = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    fixed += samples[i] == i;
    neighbours += i > 0 && samples[i] == samples[i - 1] + 1;
    distance += std::abs(static_cast<double>(samples[i]) - static_cast<double>(i)) / kCount;
  }
  EXPECT_LT(fixed, 20);
  EXPECT_LT(neighbours, 20);
  EXPECT_NEAR(distance / kCount, 1.0 / 3, 0.01);  // the mean of |u - v| for uniform u and v
}

TEST(Sampler, PutsEverySequenceAtEveryPlaceEquallyOften) {
  constexpr std::uint64_t kCount = 7, kEpochs = 7000;
  const Samples samples = Sampler(9, kCount).samples(0, kCount * kEpochs);
  std::map<std::pair<std::uint64_t, std::uint64_t>, int> times;
  for (std::uint64_t i = 0; i < samples.size(); ++i) ++times[{i % kCount, samples[i]}];
  ASSERT_EQ(times.size(), kCount * kCount);
  double chi_square = 0;
  for (const auto& [place, count] : times) chi_square += (count - 1000.0) * (count - 1000.0) / 1000;
  // 36 degrees of freedom: above 80 with a probability of 4e-5, and the numbers are fixed.
  EXPECT_LT(chi_square, 80);
}

TEST(Sampler, ServesACountBeyondThirtyTwoBits) {
  const std::uint64_t n = (std::uint64_t{1} << 62) - 57;
  for (const std::uint64_t sample : Sampler(5, n).samples(n - 50, 100)) EXPECT_LT(sample, n);
}

}  // namespace
}  // namespace phalanx::data

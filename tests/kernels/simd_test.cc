#include "kernels/cpu/simd.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

float of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(Exponential, IsWithinTwoUnitsInTheLastPlaceOverItsRange) {
  std::vector<float> x;
  for (std::uint32_t bits = 0; of_bits(bits) < 88.3F; bits += 1009)
    for (const float value : {of_bits(bits), -of_bits(bits)})
      if (value > -87.3F) x.push_back(value);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp(static_cast<double>(x[i]));
    const auto rounded = static_cast<float>(exact);
    const double unit = std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded;
    worst = std::max(worst, std::abs(static_cast<double>(exponential(x[i])) - exact) / unit);
  }
  EXPECT_LE(worst, 2);
  EXPECT_GT(x.size(), 1000000U);
}

TEST(Exponential, TakesWhatIsBeyondItsRangeAsTheBoundAndKeepsNotANumber) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exponential(-kInfinity), exponential(-87.3F));
  EXPECT_EQ(exponential(1e30F), exponential(88.3F));
  EXPECT_TRUE(std::isfinite(exponential(kInfinity)));
  EXPECT_TRUE(std::isnan(exponential(std::nanf(""))));
}

}  // namespace
}  // namespace phalanx::kernels

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

// Every upper half with lower halves at, beside and far from the tie, infinities and denormals too.
TEST(Bf16, RoundsToTheNearestTiesToEven) {
  std::vector<float> values;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper)
    for (const std::uint32_t lower : {0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF})
      if (const float value = of_bits(upper << 16 | lower); !std::isnan(value))
        values.push_back(value);
  const auto expected =
      at::from_blob(values.data(), {std::ssize(values)}, at::kFloat).to(at::kBFloat16);
  const auto* bits = expected.const_data_ptr<at::BFloat16>();
  std::size_t different = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    different += rounded<Bf16>(values[i]).x != bits[i].x;
  EXPECT_EQ(different, 0U);
  EXPECT_TRUE(std::isnan(wide(rounded<Bf16>(std::nanf("")))));
  EXPECT_TRUE(std::isnan(wide(rounded<Bf16>(of_bits(0x7F800001)))));
}

}  // namespace
}  // namespace phalanx::kernels

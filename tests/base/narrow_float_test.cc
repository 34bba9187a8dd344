#include "base/narrow_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace phalanx {
namespace {

// Around every fp16 and bf16 number and every middle between two: where rounding decides.
std::vector<float> interesting(float (*widened)(std::uint16_t)) {
  std::vector<float> found;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float x = widened(static_cast<std::uint16_t>(bits));
    const float next = widened(static_cast<std::uint16_t>(bits + 1));
    for (const float middle : {x, x / 2 + next / 2})
      for (const float y : {middle, std::nextafter(middle, 1e38f), std::nextafter(middle, -1e38f)})
        found.push_back(y);
  }
  return found;
}

// Not-a-numbers too: which bits they keep.
TEST(NarrowFloat, Fp16WidensAsTheCompilerDoes) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto narrow = static_cast<std::uint16_t>(bits);
    const auto expected = static_cast<float>(std::bit_cast<_Float16>(narrow));
    const float found = float_of_fp16(narrow);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(found), std::bit_cast<std::uint32_t>(expected)) << bits;
  }
}

TEST(NarrowFloat, Fp16RoundsAsTheCompilerDoes) {
  const auto check = [](float x) {
    const auto expected = std::bit_cast<std::uint16_t>(static_cast<_Float16>(x));
    EXPECT_EQ(fp16_bits(x), expected) << x << ", " << std::bit_cast<std::uint32_t>(x);
    return fp16_bits(x) == expected;
  };
  for (const float x : interesting(float_of_fp16))
    if (!check(x)) return;
  for (std::uint64_t bits = 0; bits < 0x1'0000'0000; bits += 9973)
    if (!check(std::bit_cast<float>(static_cast<std::uint32_t>(bits)))) return;
}

TEST(NarrowFloat, Bf16RoundsToTheNearestWithTiesToEven) {
  for (const float x : interesting(float_of_bf16)) {
    const float found = float_of_bf16(static_cast<std::uint16_t>(bf16_bits(x)));
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(found));
      continue;
    }
    // A number of 8 significant bits, found in fp64; where fp32 is subnormal, of fewer.
    int exponent = 0;
    std::frexp(static_cast<double>(x), &exponent);
    const int last = std::max(exponent - 8, -126 - 7);
    double expected = std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(x), -last)), last);
    if (std::abs(expected) >= std::ldexp(1.0, 128)) expected = std::copysign(INFINITY, expected);
    ASSERT_EQ(static_cast<double>(found), expected) << x;
  }
}

}  // namespace
}  // namespace phalanx

// Vector code of the element types, against the same arithmetic one element at a time.
#include "comm/combine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/narrow_float.h"

namespace phalanx::comm {
namespace {

using Halves = std::vector<std::uint16_t>;
using Floats = std::vector<float>;

template <class T>
std::byte* bytes(std::vector<T>& values, std::size_t begin = 0) {
  return reinterpret_cast<std::byte*>(values.data() + begin);
}

Halves every_half() {
  Halves all(0x10000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  return all;
}

// Each half against one of another place, size and sign.
Halves partners() {
  Halves all = every_half();
  for (auto& half : all) half = static_cast<std::uint16_t>(half * 40503u + 12345u);
  return all;
}

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

TEST(Combine, WidensEveryFp16ToTheBitsOfTheScalarWay) {
  Halves all = every_half();
  Floats found(all.size());
  convert({bytes(all), ElementType::kFloat16}, bytes(found), ElementType::kFloat32, all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(bits_of(found[i]), bits_of(float_of_fp16(all[i]))) << i;
}

// Each fp16, the middles between neighbours, and what is next to these; every sort of fp32.
TEST(Combine, NarrowsToTheBitsOfTheScalarWay) {
  Floats values;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const float x = float_of_fp16(static_cast<std::uint16_t>(i));
    const float middle = x / 2 + float_of_fp16(static_cast<std::uint16_t>(i + 1)) / 2;
    for (const float y : {x, middle, std::nextafter(middle, 1e38f), std::nextafter(middle, -1e38f)})
      values.push_back(y);
    values.push_back(std::bit_cast<float>(i << 16 | i));
  }
  Halves found(values.size());
  convert({bytes(values), ElementType::kFloat32}, bytes(found), ElementType::kFloat16,
          values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(found[i], fp16_bits(values[i])) << bits_of(values[i]);
}

TEST(Combine, ConvertsWhatIsLeftOverByVectorsAndNothingBehindIt) {
  Halves all = every_half();
  for (std::size_t count = 0; count < 40; ++count) {
    Floats wide(41, -1);
    convert({bytes(all, 0x3C01), ElementType::kFloat16}, bytes(wide), ElementType::kFloat32, count);
    Halves again(41, 7);
    convert({bytes(wide), ElementType::kFloat32}, bytes(again), ElementType::kFloat16, count);
    for (std::size_t i = 0; i < 41; ++i) {
      ASSERT_EQ(wide[i], i < count ? float_of_fp16(static_cast<std::uint16_t>(0x3C01 + i)) : -1);
      ASSERT_EQ(again[i], i < count ? 0x3C01 + i : 7);
    }
  }
}

float plain(Reduction reduction, float left, float right) {
  if (std::isnan(left) || std::isnan(right)) return NAN;
  if (reduction == Reduction::kMax) return left > right ? left : right;
  return reduction == Reduction::kMin ? (left < right ? left : right) : left + right;
}

// Over all types that the operands and the result can have.
TEST(Combine, ReducesFp16AsTheScalarWay) {
  Halves left = every_half(), right = partners();
  Floats wide_left, wide_right;
  for (const auto half : left) wide_left.push_back(float_of_fp16(half));
  for (const auto half : right) wide_right.push_back(float_of_fp16(half));
  for (const auto reduction : {Reduction::kSum, Reduction::kMax, Reduction::kMin})
    for (const Operand one : {Operand{bytes(left), ElementType::kFloat16},
                              Operand{bytes(wide_left), ElementType::kFloat32}})
      for (const Operand other : {Operand{bytes(right), ElementType::kFloat16},
                                  Operand{bytes(wide_right), ElementType::kFloat32}}) {
        Halves found(left.size());
        combine(reduction, one, other, {bytes(found)}, ElementType::kFloat16, left.size());
        Floats wide(left.size());
        combine(reduction, one, other, {bytes(wide)}, ElementType::kFloat32, left.size());
        for (std::size_t i = 0; i < left.size(); ++i) {
          const float expected = plain(reduction, wide_left[i], wide_right[i]);
          if (std::isnan(expected)) {
            ASSERT_TRUE(std::isnan(wide[i]) && std::isnan(float_of_fp16(found[i]))) << i;
            continue;
          }
          ASSERT_EQ(bits_of(wide[i]), bits_of(expected)) << i;
          ASSERT_EQ(found[i], fp16_bits(expected)) << i;
        }
      }
}

TEST(Combine, WritesFp16OverEitherOperand) {
  Halves left = every_half(), right = partners(), expected(left.size());
  const auto sum_into = [&](Halves& result) {
    combine(Reduction::kSum, {bytes(left), ElementType::kFloat16},
            {bytes(right), ElementType::kFloat16}, {bytes(result)}, ElementType::kFloat16,
            left.size());
  };
  sum_into(expected);
  const Halves untouched = right;
  sum_into(right);
  EXPECT_EQ(right, expected);
  right = untouched;
  sum_into(left);
  EXPECT_EQ(left, expected);
}

// As two ranks' sums are: each place holds one of the operands.
TEST(Combine, WritesTwoPlacesAlikeThatMayBeTheOperands) {
  constexpr std::size_t kCount = 5003;
  for (const auto type : {ElementType::kFloat32, ElementType::kFloat64, ElementType::kBFloat16,
                          ElementType::kFloat16, ElementType::kInt32, ElementType::kUInt8}) {
    std::vector<std::byte> left(kCount * element_size(type)), right = left, expected = left;
    for (std::size_t i = 0; i < left.size(); ++i) {
      left[i] = static_cast<std::byte>(i % 61);  // no not-a-number
      right[i] = static_cast<std::byte>(i % 59);
    }
    const Operand one{left.data(), type}, other{right.data(), type};
    combine(Reduction::kSum, one, other, {expected.data()}, type, kCount);
    ASSERT_TRUE(expected != left && expected != right);
    combine(Reduction::kSum, one, other, {left.data(), right.data()}, type, kCount);
    EXPECT_EQ(left, expected) << element_type_name(type);
    EXPECT_EQ(right, expected) << element_type_name(type);
  }
}

}  // namespace
}  // namespace phalanx::comm

#include "comm/reduction_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/narrow_float.h"
#include "comm/combine.h"

namespace phalanx::comm {
namespace {

constexpr std::size_t kCount = 3000;
using Bytes = std::vector<std::byte>;

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

template <class T>
std::vector<T> values_in(const Bytes& bytes) {
  const auto* values = reinterpret_cast<const T*>(bytes.data());
  return {values, values + bytes.size() / sizeof(T)};
}

// Reduces vectors that stand for `leaves`; two results, which must be the same.
Bytes reduce(Subtree tree, const std::vector<Subtree>& leaves, const std::vector<Bytes>& values,
             ReductionPlan::Types types, Reduction reduction = Reduction::kSum) {
  std::vector<const std::byte*> pointers;
  for (const auto& value : values) pointers.push_back(value.data());
  const std::size_t count = values[0].size() / element_size(types.leaves);
  Bytes first(count * element_size(types.results)), second(first.size());
  const std::vector<std::byte*> results{first.data(), second.data()};
  ReductionPlan(tree, leaves).run(reduction, types, pointers, results, count);
  EXPECT_EQ(first, second);
  return first;
}

Bytes floats_of(int rank) {
  std::vector<float> values;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto mixed = i * 7919 + static_cast<std::size_t>(rank) * 104729;
    values.push_back(1.0f / static_cast<float>(1 + mixed % 10007));
  }
  return bytes_of(values);
}

Bytes numbers_of(int rank, ElementType type) {
  const Bytes floats = floats_of(rank);
  Bytes values(kCount * element_size(type));
  convert({floats.data(), ElementType::kFloat32}, values.data(), type, kCount);
  return values;
}

// Of single ranks.
Bytes reduce_ranks(Subtree tree, ReductionPlan::Types types) {
  std::vector<Subtree> leaves;
  std::vector<Bytes> values;
  for (int rank = tree.begin; rank < tree.end; ++rank) {
    leaves.push_back({rank, rank + 1});
    values.push_back(numbers_of(rank, types.leaves));
  }
  return reduce(tree, leaves, values, types);
}

TEST(ReductionPlan, AnyPlacementOnTwoNodesGivesTheSameBits) {
  const int ranks = 7;
  for (const auto type : {ElementType::kFloat32, ElementType::kBFloat16, ElementType::kFloat16}) {
    const ElementType partial = accumulation_type(type);
    const Bytes expected = reduce_ranks({0, ranks}, {type, type});
    for (unsigned mask = 0; mask < 1u << ranks; ++mask) {
      std::vector<Subtree> leaves;
      std::vector<Bytes> values;
      for (const unsigned node : {0u, 1u}) {
        std::vector<int> here;
        for (int rank = 0; rank < ranks; ++rank)
          if (((mask >> rank) & 1) == node) here.push_back(rank);
        for (const Subtree& tree : whole_subtrees(here, ranks)) {
          leaves.push_back(tree);
          values.push_back(reduce_ranks(tree, {type, partial}));
        }
      }
      ASSERT_EQ(reduce({0, ranks}, leaves, values, {partial, type}), expected) << mask;
    }
  }
}

TEST(ReductionPlan, NarrowFloatsAreSummedInFp32AndRoundedOnce) {
  // 256 + 1 is 256 in bf16: rounded at each step, the sum would be 256.
  const auto bf16 = [](float x) {
    return bytes_of(std::vector{static_cast<std::uint16_t>(bf16_bits(x))});
  };
  const std::vector<Subtree> leaves{{0, 1}, {1, 2}, {2, 3}};
  const auto type = ElementType::kBFloat16;
  const Bytes sum = reduce({0, 3}, leaves, {bf16(256), bf16(1), bf16(1)}, {type, type});
  EXPECT_EQ(float_of_bf16(values_in<std::uint16_t>(sum)[0]), 258);
}

TEST(ReductionPlan, IntegersWrap) {
  const std::vector<Subtree> leaves{{0, 1}, {1, 2}};
  const auto sum_of = [&]<class T>(T left, T right, ElementType type) {
    return values_in<T>(reduce({0, 2}, leaves,
                               {bytes_of(std::vector{left}), bytes_of(std::vector{right})},
                               {type, type}))[0];
  };
  EXPECT_EQ(sum_of(std::uint8_t{200}, std::uint8_t{100}, ElementType::kUInt8), 44);
  EXPECT_EQ(sum_of(INT32_MAX, 2, ElementType::kInt32), INT32_MIN + 1);
  EXPECT_EQ(sum_of(INT64_MIN, std::int64_t{-1}, ElementType::kInt64), INT64_MAX);
}

// Long enough for vector code and its remainder.
TEST(ReductionPlan, NotANumberSpreadsFromEitherSide) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Subtree> leaves{{0, 1}, {1, 2}};
  for (const Reduction reduction : {Reduction::kSum, Reduction::kMax, Reduction::kMin})
    for (const auto type : {ElementType::kFloat32, ElementType::kBFloat16, ElementType::kFloat16,
                            ElementType::kFloat64}) {
      std::vector<Bytes> values;
      for (const bool left : {true, false}) {
        Bytes bytes(37 * element_size(type));
        for (std::size_t i = 0; i < 37; ++i) {
          const float x = (i % 2 == 0) == left ? nan : static_cast<float>(i);
          const double wide = x;
          if (type == ElementType::kFloat64)
            std::memcpy(&bytes[i * 8], &wide, 8);
          else
            convert({reinterpret_cast<const std::byte*>(&x), ElementType::kFloat32},
                    &bytes[i * element_size(type)], type, 1);
        }
        values.push_back(bytes);
      }
      const Bytes found = reduce({0, 2}, leaves, values, {type, type}, reduction);
      for (std::size_t i = 0; i < 37; ++i) {
        double x = 0;
        float narrow = 0;
        if (type == ElementType::kFloat64) {
          std::memcpy(&x, &found[i * 8], 8);
        } else {
          convert({&found[i * element_size(type)], type}, reinterpret_cast<std::byte*>(&narrow),
                  ElementType::kFloat32, 1);
          x = narrow;
        }
        EXPECT_TRUE(std::isnan(x)) << i << " " << element_type_name(type);
      }
    }
}

TEST(ReductionPlan, AResultMayBeALeaf) {
  std::vector<float> a(37, 1), b(37, 10);
  const auto bytes = [](std::vector<float>& values) {
    return reinterpret_cast<std::byte*>(values.data());
  };
  const std::vector<const std::byte*> leaves{bytes(a), bytes(b)};
  const std::vector<std::byte*> results{bytes(a), bytes(b)};
  ReductionPlan({0, 2}, std::vector<Subtree>{{0, 1}, {1, 2}})
      .run(Reduction::kSum, {ElementType::kFloat32, ElementType::kFloat32}, leaves, results, 37);
  EXPECT_EQ(a, std::vector<float>(37, 11));
  EXPECT_EQ(b, a);
}

// Nothing may grow with the square of the ranks: this takes minutes then.
TEST(ReductionPlan, AHundredThousandRanksOnAsManyNodesArePlannedAtOnce) {
  const int ranks = 100'000;
  std::vector<Subtree> leaves;
  for (int rank = 0; rank < ranks; ++rank) leaves.push_back({rank, rank + 1});
  EXPECT_EQ(ReductionPlan({0, ranks}, leaves).leaves(), ranks);
}

}  // namespace
}  // namespace phalanx::comm

#include "comm/combine.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "base/narrow_float.h"
#include "comm/fp16_rows.h"

namespace phalanx::comm {
namespace {

// A type of its own, and a scalar: of a struct that goes to two places no loop is vectorised.
enum class BFloat16 : std::uint16_t {};

template <class T>
PHALANX_INLINE auto wide(T x) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return float_of_bf16(static_cast<std::uint16_t>(x));
  else
    return x;
}

template <class T, class Wide>
PHALANX_INLINE T rounded(Wide x) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return static_cast<BFloat16>(bf16_bits(x));
  else
    return x;
}

template <Reduction reduction, class T>
PHALANX_INLINE T reduced(T left, T right) {
  if constexpr (reduction == Reduction::kMax)
    return left > right || left != left ? left : right;
  else if constexpr (reduction == Reduction::kMin)
    return left < right || left != left ? left : right;
  else if constexpr (std::is_floating_point_v<T>)
    return left + right;
  else  // signed integers may not overflow, unsigned ones wrap
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(left) +
                          static_cast<std::make_unsigned_t<T>>(right));
}

struct Operands {
  const std::byte *left, *right;
  Places results;
  std::size_t count;
};

template <Reduction reduction, class Left, class Right, class Result>
PHALANX_INLINE void loop(const Operands& all) {
  const auto* left = reinterpret_cast<const Left*>(all.left);
  const auto* right = reinterpret_cast<const Right*>(all.right);
  auto* first = reinterpret_cast<Result*>(all.results.first);
  auto* second = reinterpret_cast<Result*>(all.results.second);
  const std::size_t count = all.count;  // a copy: results of some types could lie in `all` itself
  if (second == nullptr) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i)
      first[i] = rounded<Result>(reduced<reduction>(wide(left[i]), wide(right[i])));
  } else {
#pragma GCC ivdep
    for (std::size_t i = 0; i < count; ++i)
      first[i] = second[i] = rounded<Result>(reduced<reduction>(wide(left[i]), wide(right[i])));
  }
}

template <class Left, class Right, class Result>
PHALANX_INLINE void by_reduction(Reduction reduction, const Operands& all) {
  if (reduction == Reduction::kSum) return loop<Reduction::kSum, Left, Right, Result>(all);
  if (reduction == Reduction::kMax) return loop<Reduction::kMax, Left, Right, Result>(all);
  return loop<Reduction::kMin, Left, Right, Result>(all);
}

template <class T>
PHALANX_INLINE void alike(Reduction reduction, const Operands& all) {
  by_reduction<T, T, T>(reduction, all);
}

// `narrow`: which of left, right and result are bf16.
PHALANX_VECTORIZED void combine_bf16(Reduction reduction, unsigned narrow, const Operands& all) {
  switch (narrow) {
    case 0b001:
      return by_reduction<float, float, BFloat16>(reduction, all);
    case 0b010:
      return by_reduction<float, BFloat16, float>(reduction, all);
    case 0b011:
      return by_reduction<float, BFloat16, BFloat16>(reduction, all);
    case 0b100:
      return by_reduction<BFloat16, float, float>(reduction, all);
    case 0b101:
      return by_reduction<BFloat16, float, BFloat16>(reduction, all);
    case 0b110:
      return by_reduction<BFloat16, BFloat16, float>(reduction, all);
    default:
      return by_reduction<BFloat16, BFloat16, BFloat16>(reduction, all);
  }
}

PHALANX_VECTORIZED void combine_alike(ElementType type, Reduction reduction, const Operands& all) {
  switch (type) {
    case ElementType::kFloat64:
      return alike<double>(reduction, all);
    case ElementType::kInt32:
      return alike<std::int32_t>(reduction, all);
    case ElementType::kInt64:
      return alike<std::int64_t>(reduction, all);
    case ElementType::kUInt8:
      return alike<std::uint8_t>(reduction, all);
    default:
      return alike<float>(reduction, all);
  }
}

template <class From, class To>
PHALANX_INLINE void convert_loop(const std::byte* from, std::byte* to, std::size_t count) {
  const auto* source = reinterpret_cast<const From*>(from);
  auto* target = reinterpret_cast<To*>(to);
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) target[i] = rounded<To>(wide(source[i]));
}

PHALANX_VECTORIZED void widen_bf16(const std::byte* from, std::byte* to, std::size_t count) {
  convert_loop<BFloat16, float>(from, to, count);
}

PHALANX_VECTORIZED void narrow_bf16(const std::byte* from, std::byte* to, std::size_t count) {
  convert_loop<float, BFloat16>(from, to, count);
}

void widen(Operand from, std::byte* to, std::size_t count) {
  if (from.type == ElementType::kBFloat16) return widen_bf16(from.data, to, count);
  widen_fp16(reinterpret_cast<const std::uint16_t*>(from.data), reinterpret_cast<float*>(to),
             count);
}

void narrow(const std::byte* from, std::byte* to, ElementType type, std::size_t count) {
  if (type == ElementType::kBFloat16) return narrow_bf16(from, to, count);
  narrow_fp16(reinterpret_cast<const float*>(from), reinterpret_cast<std::uint16_t*>(to), count);
}

// A loop that converts fp16 where it needs it is not vectorised. So a row at a time, which as fp32
// stays in the nearest cache.
void combine_fp16(Reduction reduction, Operand left, Operand right, Places results,
                  ElementType result_type, std::size_t count) {
  constexpr std::size_t kRow = 1024;
  using Wide = std::array<std::byte, kRow * sizeof(float)>;
  alignas(64) Wide wide_left, wide_right, wide_result;
  for (std::size_t begin = 0; begin < count; begin += kRow) {
    const std::size_t row = std::min(kRow, count - begin);
    const auto widened = [&](Operand from, Wide& wide) -> const std::byte* {
      from.data += begin * element_size(from.type);
      if (from.type == ElementType::kFloat32) return from.data;
      widen(from, wide.data(), row);
      return wide.data();
    };
    combine_alike(
        ElementType::kFloat32, reduction,
        {widened(left, wide_left), widened(right, wide_right), {wide_result.data()}, row});
    const Operand sum{wide_result.data(), ElementType::kFloat32};
    for (std::byte* const result : {results.first, results.second})
      if (result != nullptr)
        convert(sum, result + begin * element_size(result_type), result_type, row);
  }
}

bool is_narrow(ElementType type) { return accumulation_type(type) != type; }

}  // namespace

ElementType accumulation_type(ElementType type) {
  const bool narrow = type == ElementType::kBFloat16 || type == ElementType::kFloat16;
  return narrow ? ElementType::kFloat32 : type;
}

void combine(Reduction reduction, Operand left, Operand right, Places results,
             ElementType result_type, std::size_t count) {
  const ElementType wide_type = accumulation_type(result_type);
  ElementType type = wide_type;
  unsigned narrow = 0;
  for (const ElementType each : {left.type, right.type, result_type}) {
    check(accumulation_type(each) == wide_type &&
              (!is_narrow(type) || type == each || each == wide_type),
          "elements of different types are not reduced");
    narrow = narrow << 1 | static_cast<unsigned>(is_narrow(each));
    if (is_narrow(each)) type = each;
  }
  const Operands all{left.data, right.data, results, count};
  if (type == ElementType::kFloat16)
    combine_fp16(reduction, left, right, results, result_type, count);
  else if (type == ElementType::kBFloat16)
    combine_bf16(reduction, narrow, all);
  else
    combine_alike(type, reduction, all);
}

void convert(Operand from, std::byte* to, ElementType type, std::size_t count) {
  if (count == 0 || (from.type == type && from.data == to)) return;
  if (from.type == type)
    std::memcpy(to, from.data, count * element_size(type));
  else if (is_narrow(from.type))
    widen(from, to, count);
  else
    narrow(from.data, to, type, count);
}

}  // namespace phalanx::comm

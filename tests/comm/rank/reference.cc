#include "rank/reference.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/philox.h"

namespace phalanx::comm {
namespace {

// Calls `function` with a value of the C++ type; narrow floats come as float.
template <class Function>
auto with_type(ElementType type, const Function& function) {
  switch (type) {
    case ElementType::kFloat64:
      return function(double{});
    case ElementType::kInt32:
      return function(std::int32_t{});
    case ElementType::kInt64:
      return function(std::int64_t{});
    case ElementType::kUInt8:
      return function(std::uint8_t{});
    default:
      return function(float{});
  }
}

// The nearest number of 8 significant bits, ties to even.
float as_bf16(float x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  const int last = std::max(exponent - 8, -126 - 7);
  return static_cast<float>(
      std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(x), -last)), last));
}

template <class T>
T number(ElementType type, std::uint32_t bits, std::uint32_t scale) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::uint64_t{bits} << 32 | scale);
  } else {
    const auto value = static_cast<std::int32_t>(bits);
    if (type == ElementType::kFloat16)  // up to 1024 in steps from 2^-22
      return std::ldexp(static_cast<T>(value % 1024), static_cast<int>(scale % 22) - 22);
    const T wide = std::ldexp(static_cast<T>(value), static_cast<int>(scale % 60) - 60);
    return type == ElementType::kBFloat16 ? as_bf16(static_cast<float>(wide)) : wide;
  }
}

template <class T>
T reduce(Reduction reduction, T left, T right) {
  if (reduction == Reduction::kMax) return std::max(left, right);
  if (reduction == Reduction::kMin) return std::min(left, right);
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::uint64_t>(left) + static_cast<std::uint64_t>(right));
  else
    return left + right;
}

long double epsilon(ElementType type) {
  if (type == ElementType::kFloat64) return std::numeric_limits<double>::epsilon();
  if (type == ElementType::kFloat32) return std::numeric_limits<float>::epsilon();
  return type == ElementType::kFloat16 ? 0x1p-10L : 0x1p-7L;
}

}  // namespace

Numbers numbers(ElementType type, int rank, int salt, std::size_t count) {
  Numbers values(count);
  with_type(type, [&]<class T>(T) {
    for (std::size_t i = 0; i < count; i += 2) {
      const auto random = random_block(static_cast<std::uint64_t>(salt), stable_hash("numbers"),
                                       static_cast<std::uint32_t>(rank), i / 2);
      for (std::size_t j = 0; j < 2 && i + j < count; ++j)
        values[i + j] = number<T>(type, random[2 * j], random[2 * j + 1]);
    }
  });
  return values;
}

Numbers tree_reduction(Reduction reduction, ElementType type, int ranks, int salt,
                       std::size_t count) {
  const std::function<Numbers(int, int)> reduced = [&](int begin, int end) {
    if (end - begin == 1) return numbers(type, begin, salt, count);
    int left = 1;
    while (2 * left < end - begin) left *= 2;
    Numbers total = reduced(begin, begin + left);
    const Numbers right = reduced(begin + left, end);
    with_type(type, [&]<class T>(T) {
      for (std::size_t i = 0; i < count; ++i)
        total[i] = reduce(reduction, static_cast<T>(total[i]), static_cast<T>(right[i]));
    });
    return total;
  };
  return reduced(0, ranks);
}

std::vector<std::byte> encode(ElementType type, const Numbers& numbers) {
  const std::size_t size = element_size(type);
  std::vector<std::byte> bytes(numbers.size() * size);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    with_type(type, [&]<class T>(T) {
      const T value = static_cast<T>(numbers[i]);
      if (type == ElementType::kFloat16) {
        const auto narrow = static_cast<_Float16>(value);
        std::memcpy(&bytes[i * size], &narrow, size);
      } else if (type == ElementType::kBFloat16) {
        const float narrow = as_bf16(static_cast<float>(value));  // its upper half
        std::memcpy(&bytes[i * size], reinterpret_cast<const char*>(&narrow) + 2, size);
      } else {
        std::memcpy(&bytes[i * size], &value, size);
      }
    });
  return bytes;
}

Numbers decode(ElementType type, const void* elements, std::size_t count) {
  const std::size_t size = element_size(type);
  Numbers values(count);
  for (std::size_t i = 0; i < count; ++i)
    with_type(type, [&]<class T>(T value) {
      const char* element = static_cast<const char*>(elements) + i * size;
      _Float16 narrow{};
      if (type == ElementType::kFloat16) {
        std::memcpy(&narrow, element, size);
        value = static_cast<T>(narrow);
      } else if (type == ElementType::kBFloat16) {
        std::memcpy(reinterpret_cast<char*>(&value) + 2, element, size);
      } else {
        std::memcpy(&value, element, size);
      }
      values[i] = value;
    });
  return values;
}

Numbers tolerance(ElementType type, int ranks, int salt, std::size_t count) {
  Numbers slack(count);
  for (int rank = 0; rank < ranks; ++rank) {
    const Numbers values = numbers(type, rank, salt, count);
    for (std::size_t i = 0; i < count; ++i)
      slack[i] += std::abs(values[i]) * epsilon(type) * static_cast<long double>(ranks);
  }
  return slack;
}

std::string difference(ElementType type, const Numbers& expected, const void* found,
                       const Numbers& slack) {
  const std::size_t size = element_size(type);
  const auto bits = encode(type, expected);
  const Numbers values = decode(type, found, expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const bool near = !slack.empty() && std::abs(values[i] - expected[i]) <= slack[i];
    if (near || std::memcmp(&bits[i * size], static_cast<const char*>(found) + i * size, size) == 0)
      continue;
    return "element " + std::to_string(i) + " of " + std::to_string(expected.size()) +
           ": expected " + std::to_string(expected[i]) + ", found " + std::to_string(values[i]);
  }
  return {};
}

}  // namespace phalanx::comm

#pragma once

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <type_traits>

namespace phalanx::comm {

enum class ElementType : std::uint8_t {
  kFloat32,
  kFloat64,
  kBFloat16,
  kFloat16,  // IEEE 754 binary16
  kInt32,
  kInt64,
  kUInt8,
};
std::size_t element_size(ElementType type);  // bytes
const char* element_type_name(ElementType type);

template <typename T>
struct ElementTypeOf;
template <>
struct ElementTypeOf<float> {
  static constexpr ElementType value = ElementType::kFloat32;
};
template <>
struct ElementTypeOf<double> {
  static constexpr ElementType value = ElementType::kFloat64;
};
template <>
struct ElementTypeOf<std::int32_t> {
  static constexpr ElementType value = ElementType::kInt32;
};
template <>
struct ElementTypeOf<std::int64_t> {
  static constexpr ElementType value = ElementType::kInt64;
};
template <>
struct ElementTypeOf<std::uint8_t> {
  static constexpr ElementType value = ElementType::kUInt8;
};

// Vectors, arrays and spans of such elements are buffers by themselves.
template <typename Range>
concept Elements = std::ranges::contiguous_range<Range> &&
                   requires { ElementTypeOf<std::ranges::range_value_t<Range>>::value; };
template <typename Range>
concept WritableElements =
    Elements<Range> &&
    !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<Range>>>;

// `count` elements of one type that an operation reads, in the backend's device memory. Owns
// nothing.
struct ConstBuffer {
  ConstBuffer() = default;
  ConstBuffer(const void* data, std::size_t count, ElementType type)
      : data(data), count(count), type(type) {}
  template <Elements Range>
  ConstBuffer(const Range& elements)
      : ConstBuffer(std::ranges::data(elements), std::ranges::size(elements),
                    ElementTypeOf<std::ranges::range_value_t<Range>>::value) {}

  std::size_t bytes() const { return count * element_size(type); }

  const void* data = nullptr;
  std::size_t count = 0;
  ElementType type = ElementType::kFloat32;
};

// The same, that an operation writes.
struct Buffer {
  Buffer() = default;
  Buffer(void* data, std::size_t count, ElementType type) : data(data), count(count), type(type) {}
  // A temporary span is as good as a named vector; a Buffer is no range and is copied.
  template <WritableElements Range>
  Buffer(Range&& elements)  // NOLINT(bugprone-forwarding-reference-overload)
      : Buffer(std::ranges::data(elements), std::ranges::size(elements),
               ElementTypeOf<std::ranges::range_value_t<Range>>::value) {}
  operator ConstBuffer() const { return {data, count, type}; }

  std::size_t bytes() const { return count * element_size(type); }

  void* data = nullptr;
  std::size_t count = 0;
  ElementType type = ElementType::kFloat32;
};

}  // namespace phalanx::comm

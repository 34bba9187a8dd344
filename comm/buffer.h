#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

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

// `count` elements of one type that an operation reads, in the backend's device memory. Owns
// nothing.
struct ConstBuffer {
  ConstBuffer() = default;
  ConstBuffer(const void* data, std::size_t count, ElementType type)
      : data(data), count(count), type(type) {}
  template <typename T>
  ConstBuffer(std::span<T> elements)
      : ConstBuffer(elements.data(), elements.size(),
                    ElementTypeOf<std::remove_const_t<T>>::value) {}

  std::size_t bytes() const { return count * element_size(type); }

  const void* data = nullptr;
  std::size_t count = 0;
  ElementType type = ElementType::kFloat32;
};

// The same, that an operation writes.
struct Buffer {
  Buffer() = default;
  Buffer(void* data, std::size_t count, ElementType type) : data(data), count(count), type(type) {}
  template <typename T>
  Buffer(std::span<T> elements)
      : Buffer(elements.data(), elements.size(), ElementTypeOf<T>::value) {}
  operator ConstBuffer() const { return {data, count, type}; }

  std::size_t bytes() const { return count * element_size(type); }

  void* data = nullptr;
  std::size_t count = 0;
  ElementType type = ElementType::kFloat32;
};

}  // namespace phalanx::comm

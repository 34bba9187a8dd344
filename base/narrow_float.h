#pragma once

#include <bit>
#include <cstdint>

#include "base/vectorized.h"

namespace phalanx {

// Floats of 16 bits as integers, to and from fp32, in code that loops can be vectorised over and
// that gives the same bits on every processor. Rounds to the nearest, ties to even; what is too
// large becomes infinite, not-a-number stays. fp16's not-a-numbers become quiet and keep their
// leading bits, as the instructions of x86's F16C have it.

PHALANX_INLINE float float_of_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

PHALANX_INLINE std::uint32_t bf16_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return (bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded;
}

// IEEE 754 binary16: 5 bits of exponent, biased by 15 where fp32's is by 127.
PHALANX_INLINE float float_of_fp16(std::uint16_t bits) {
  constexpr std::uint32_t kRebias = (127 - 15) << 23;
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t magnitude = (bits & 0x7FFFu) << 13;
  // A subnormal's fraction, as that of a normal number with the least exponent, less that exponent.
  constexpr std::uint32_t kLeast = (127 - 14) << 23;
  const float subnormal = std::bit_cast<float>(magnitude + kLeast) - std::bit_cast<float>(kLeast);
  std::uint32_t found = magnitude + kRebias;
  found = magnitude >= 0x1Fu << 23 ? magnitude | 0xFFu << 23 : found;
  found = magnitude > 0x1Fu << 23 ? found | 1u << 22 : found;
  found = magnitude < 1u << 23 ? std::bit_cast<std::uint32_t>(subnormal) : found;
  return std::bit_cast<float>(found | sign);
}

PHALANX_INLINE std::uint32_t fp16_bits(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7FFFFFFF;
  constexpr std::uint32_t kRebias = (127 - 15) << 23;
  const std::uint32_t normal = (magnitude - kRebias + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  // The addition rounds at the place of fp16's last subnormal bit: 2^-24 is the last bit of 0.5.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
      std::bit_cast<std::uint32_t>(0.5f);
  std::uint32_t found = magnitude < std::uint32_t{127 - 14} << 23 ? subnormal : normal;
  found = magnitude >= std::uint32_t{127 + 16} << 23 ? 0x7C00 : found;
  found = magnitude > 0x7F800000 ? 0x7E00 | (magnitude >> 13 & 0x1FF) : found;
  return found | sign;
}

}  // namespace phalanx

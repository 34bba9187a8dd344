#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "base/narrow_float.h"
#include "kernels/operations/element.h"

namespace phalanx::kernels {

PHALANX_INLINE float wide(float x) { return x; }
PHALANX_INLINE double wide(double x) { return x; }
PHALANX_INLINE float wide(Bf16 x) { return float_of_bf16(x.x); }

// A computed value as it is kept.
template <class T>
PHALANX_INLINE T rounded(Wide<T> x) {
  if constexpr (std::is_same_v<T, Bf16>)
    return {static_cast<std::uint16_t>(bf16_bits(x)), Bf16::from_bits()};
  else
    return x;
}

// e^x within 2 units in the last place, in code that loops can be vectorised over: x = n ln 2 + r,
// and Cephes' polynomial for e^r. Arguments beyond [-87.3, 88.3] are taken as the bound;
// not-a-number stays.
PHALANX_INLINE float exponential(float x) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  const float shifted = x * 1.44269504f + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - 0x4B400000 + 127;
  return ((p * r) * r + r + 1.0f) * std::bit_cast<float>(exponent << 23);
}
PHALANX_INLINE double exponential(double x) { return std::exp(x); }

}  // namespace phalanx::kernels

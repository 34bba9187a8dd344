#include "comm/fp16_rows.h"

#include "base/narrow_float.h"

// The compiler vectorises no conversion of fp16, so these are written for each instruction set; the
// best one is bound when the program is loaded, as with PHALANX_VECTORIZED.
#ifdef PHALANX_HAS_VERSIONS
#include <immintrin.h>

#define PHALANX_VERSION(set) __attribute__((target(set)))
#else
#define PHALANX_VERSION(set)
#endif

namespace phalanx::comm {
namespace {

PHALANX_INLINE void widen_each(const std::uint16_t* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = float_of_fp16(from[i]);
}

PHALANX_INLINE void narrow_each(const float* from, std::uint16_t* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::uint16_t>(fp16_bits(from[i]));
}

PHALANX_VERSION("default")
void widen(const std::uint16_t* from, float* to, std::size_t count) { widen_each(from, to, count); }

PHALANX_VERSION("default")
void narrow(const float* from, std::uint16_t* to, std::size_t count) {
  narrow_each(from, to, count);
}

#ifdef PHALANX_HAS_VERSIONS
constexpr __mmask16 kAll = 0xFFFF;  // without a mask, g++ 12 warns of its own header
constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

PHALANX_VERSION("arch=x86-64-v3")
void widen(const std::uint16_t* from, float* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(to + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  widen_each(from + i, to + i, count - i);
}

PHALANX_VERSION("arch=x86-64-v3")
void narrow(const float* from, std::uint16_t* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from + i), kNearest));
  narrow_each(from + i, to + i, count - i);
}

PHALANX_VERSION("arch=x86-64-v4")
void widen(const std::uint16_t* from, float* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16)
    _mm512_storeu_ps(to + i,
                     _mm512_maskz_cvtph_ps(
                         kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i))));
  widen_each(from + i, to + i, count - i);
}

PHALANX_VERSION("arch=x86-64-v4")
void narrow(const float* from, std::uint16_t* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                        _mm512_maskz_cvtps_ph(kAll, _mm512_loadu_ps(from + i), kNearest));
  narrow_each(from + i, to + i, count - i);
}
#endif

}  // namespace

void widen_fp16(const std::uint16_t* from, float* to, std::size_t count) { widen(from, to, count); }

void narrow_fp16(const float* from, std::uint16_t* to, std::size_t count) {
  narrow(from, to, count);
}

}  // namespace phalanx::comm

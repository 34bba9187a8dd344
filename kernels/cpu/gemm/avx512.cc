#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <utility>

#include "kernels/cpu/gemm/micro_kernel.h"

namespace phalanx::kernels {
namespace {

// One set of instructions for all of this file, so that everything in it can be inlined; a compiler
// takes those for bf16 only where their intrinsics stand, that is in PairUnits.
#define PHALANX_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))
#define PHALANX_AVX512_INLINE inline __attribute__((always_inline)) PHALANX_AVX512
#define PHALANX_UNROLL _Pragma("GCC unroll 16")

constexpr int kLanes = 16;
constexpr int kVectorsOfTile = kTileColumns / kLanes;

// The lanes of vector `index` that `count` elements reach.
PHALANX_AVX512_INLINE __mmask16 lanes(std::int64_t count, int index = 0) {
  const std::int64_t left = count - std::int64_t{index} * kLanes;
  return left >= kLanes ? 0xFFFF : left <= 0 ? 0 : static_cast<__mmask16>((1U << left) - 1);
}

// The arithmetic of each type of unit, and how 16 units are read: `along` one line of which `left`
// elements remain, or `across` 16 lines, of which `lines` exist.
struct FloatUnits {
  static constexpr UnitType kType = UnitType::kFloat;
  static constexpr int kElements = 1;

  PHALANX_AVX512_INLINE static __m512 multiply_add(__m512 a, __m512 b, __m512 sum) {
    return _mm512_fmadd_ps(a, b, sum);
  }
  PHALANX_AVX512_INLINE static __m512i along(const float* line, std::int64_t left) {
    return _mm512_maskz_loadu_epi32(lanes(left), line);
  }
  PHALANX_AVX512_INLINE static __m512i along(const c10::BFloat16* line, std::int64_t left) {
    const __m256i half = _mm256_maskz_loadu_epi16(lanes(left), line);
    return _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
  }
  template <class T>
  PHALANX_AVX512_INLINE static __m512i across(const Lines<T>& at, std::int64_t /*left*/,
                                              std::int64_t lines) {
    return along(at.data, lines);
  }
};

struct PairUnits {
  static constexpr UnitType kType = UnitType::kBFloat16Pair;
  static constexpr int kElements = 2;

  PHALANX_AVX512_INLINE static __m512 multiply_add(__m512 a, __m512 b, __m512 sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
  PHALANX_AVX512_INLINE static __m512i along(const float* line, std::int64_t left) {
    const __m512 low = _mm512_maskz_loadu_ps(lanes(left), line);
    const __m512 high = _mm512_maskz_loadu_ps(lanes(left, 1), line + kLanes);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
  }
  PHALANX_AVX512_INLINE static __m512i along(const c10::BFloat16* line, std::int64_t left) {
    return _mm512_maskz_loadu_epi16(left >= 32 ? 0xFFFFFFFF : (1U << left) - 1, line);
  }
  template <class T>
  PHALANX_AVX512_INLINE static __m512i across(const Lines<T>& at, std::int64_t left,
                                              std::int64_t lines) {
    const __m512i low = half(at.data, lines);
    if (left < 2) return low;
    return _mm512_or_si512(low, _mm512_slli_epi32(half(at.data + at.k_stride, lines), 16));
  }

 private:
  PHALANX_AVX512_INLINE static __m512i half(const float* row, std::int64_t lines) {
    const __m512 wide = _mm512_maskz_loadu_ps(lanes(lines), row);
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(wide));
  }
  PHALANX_AVX512_INLINE static __m512i half(const c10::BFloat16* row, std::int64_t lines) {
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes(lines), row));
  }
};

// Where the rows of a lie: each along k, or side by side.
enum class Rows { kAlongDepth, kSideBySide };

template <int kRows, int kVectors>
PHALANX_AVX512_INLINE void store(const Tile& t, __mmask16 last,
                                 const __m512 (&sum)[kRows][kVectors]) {
  const __m512 alpha = _mm512_set1_ps(t.alpha), beta = _mm512_set1_ps(t.beta);
  PHALANX_UNROLL for (int i = 0; i < kRows; ++i) {
    PHALANX_UNROLL for (int j = 0; j < kVectors; ++j) {
      float* c = t.c + i * t.c_row + j * kLanes;
      const __mmask16 mask = j == kVectors - 1 ? last : 0xFFFF;
      __m512 value = _mm512_mul_ps(alpha, sum[i][j]);
      if (t.beta != 0) value = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(mask, c), value);
      _mm512_mask_storeu_ps(c, mask, value);
    }
  }
}

template <class Units, Rows kLie, int kRows, int kVectors>
PHALANX_AVX512 void tile(const Tile& t) {
  using Aliased = float __attribute__((may_alias));
  const auto* a = reinterpret_cast<const Aliased*>(t.a);
  const auto* b = reinterpret_cast<const Aliased*>(t.b);
  const std::int64_t a_row = kLie == Rows::kSideBySide ? 1 : t.a_row;
  const std::int64_t a_depth = kLie == Rows::kSideBySide ? t.a_depth : 1;
  const __mmask16 last = lanes(t.columns, kVectors - 1);
  __m512 sum[kRows][kVectors];
  PHALANX_UNROLL for (int i = 0; i < kRows; ++i) {
    PHALANX_UNROLL for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = _mm512_setzero_ps();
      _mm_prefetch(reinterpret_cast<const char*>(t.c + i * t.c_row + j * kLanes), _MM_HINT_T0);
    }
  }
  for (std::int64_t p = 0; p < t.depth; ++p, b += t.b_depth) {
    __m512 row[kVectors];
    PHALANX_UNROLL for (int j = 0; j < kVectors; ++j) {
      row[j] = j < kVectors - 1 ? _mm512_loadu_ps(b + j * kLanes)
                                : _mm512_maskz_loadu_ps(last, b + j * kLanes);
    }
    PHALANX_UNROLL for (int i = 0; i < kRows; ++i) {
      const __m512 factor = _mm512_set1_ps(a[i * a_row + p * a_depth]);
      PHALANX_UNROLL for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = Units::multiply_add(factor, row[j], sum[i][j]);
      }
    }
  }
  store(t, last, sum);
}

// By rows - 1, then vectors - 1.
template <class Units, Rows kLie, int... kIndex>
void run_tile(const Tile& t, std::integer_sequence<int, kIndex...>) {
  constexpr void (*kTiles[])(const Tile&) = {
      tile<Units, kLie, kIndex / kVectorsOfTile + 1, kIndex % kVectorsOfTile + 1>...};
  kTiles[(t.rows - 1) * kVectorsOfTile + (t.columns - 1) / kLanes](t);
}

template <class Units>
void any_tile(const Tile& t) {
  constexpr auto kAll = std::make_integer_sequence<int, kTileRows * kVectorsOfTile>{};
  if (t.a_depth == 1) {
    run_tile<Units, Rows::kAlongDepth>(t, kAll);
  } else {
    run_tile<Units, Rows::kSideBySide>(t, kAll);
  }
}

// 16 x 16 units, rows to columns.
PHALANX_AVX512_INLINE void transpose(__m512i (&r)[kLanes]) {
  __m512i t[kLanes];
  PHALANX_UNROLL for (int i = 0; i < kLanes; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  PHALANX_UNROLL for (int i = 0; i < kLanes; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  PHALANX_UNROLL for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
  }
  PHALANX_UNROLL for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
  }
}

// The first min(lines, 16) lines, `stored` columns of each packed row.
template <class Units, class T>
PHALANX_AVX512_INLINE void pack_side_by_side(Lines<T> from, std::int64_t lines, std::int64_t k,
                                             std::int64_t width, __mmask16 stored, Unit* packed) {
  for (; k > 0; k -= Units::kElements, packed += width) {
    _mm512_mask_storeu_epi32(packed, stored, Units::across(from, k, lines));
    from.data += Units::kElements * from.k_stride;
  }
}

template <class Units, class T>
PHALANX_AVX512_INLINE void pack_transposed(Lines<T> from, std::int64_t lines, std::int64_t k,
                                           std::int64_t width, __mmask16 stored, Unit* packed) {
  for (; k > 0; k -= kLanes * Units::kElements) {
    __m512i block[kLanes];
    PHALANX_UNROLL for (int i = 0; i < kLanes; ++i) {
      block[i] =
          i < lines ? Units::along(from.data + i * from.line_stride, k) : _mm512_setzero_si512();
    }
    transpose(block);
    const std::int64_t units = (k + Units::kElements - 1) / Units::kElements;
    PHALANX_UNROLL for (int i = 0; i < kLanes; ++i, packed += width) {
      if (i < units) _mm512_mask_storeu_epi32(packed, stored, block[i]);
    }
    from.data += kLanes * Units::kElements;
  }
}

template <class Units, class T>
PHALANX_AVX512 void pack(const Lines<T>& from, std::int64_t lines, std::int64_t k,
                         std::int64_t width, Unit* packed) {
  for (std::int64_t first = 0; first < width; first += kLanes) {
    const std::int64_t here = std::clamp<std::int64_t>(lines - first, 0, kLanes);
    const __mmask16 stored = lanes(width - first);
    if (from.k_stride == 1) {
      pack_transposed<Units>(from.from(first, 0), here, k, width, stored, packed + first);
    } else {
      pack_side_by_side<Units>(from.from(first, 0), here, k, width, stored, packed + first);
    }
  }
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

template <class Units>
constexpr MicroKernel kernel(const char* name, bool (*runs_here)()) {
  return {name,
          Units::kType,
          runs_here,
          any_tile<Units>,
          pack<Units, float>,
          pack<Units, c10::BFloat16>};
}

}  // namespace

const MicroKernel kAvx512 = kernel<FloatUnits>("AVX-512", has_avx512);
const MicroKernel kAvx512BFloat16 = kernel<PairUnits>("AVX512-BF16", has_avx512_bf16);

}  // namespace phalanx::kernels

#endif

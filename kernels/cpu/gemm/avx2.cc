#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <array>

#include "kernels/cpu/gemm/micro_kernel.h"
#include "kernels/cpu/gemm/pack.h"

namespace phalanx::kernels {
namespace {

#define PHALANX_AVX2 __attribute__((target("avx2,fma")))
#define PHALANX_UNROLL _Pragma("GCC unroll 8")

constexpr int kLanes = 8;
constexpr int kStrip = 2 * kLanes;  // columns at a time: 6 x 2 sums leave registers for b and a

using Aliased = float __attribute__((may_alias));

PHALANX_AVX2 inline __attribute__((always_inline)) __m256i lanes(std::int64_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const auto reached = static_cast<int>(std::clamp<std::int64_t>(count, 0, kLanes));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(reached), index);
}

// Columns [first, first + kStrip) of a tile.
template <int kRows>
PHALANX_AVX2 void strip(const Tile& t, std::int64_t first) {
  const auto* a = reinterpret_cast<const Aliased*>(t.a);
  const auto* b = reinterpret_cast<const Aliased*>(t.b + first);
  const __m256i mask[2] = {lanes(t.columns - first), lanes(t.columns - first - kLanes)};
  __m256 sum[kRows][2];
  PHALANX_UNROLL for (int i = 0; i < kRows; ++i) sum[i][0] = sum[i][1] = _mm256_setzero_ps();
  for (std::int64_t p = 0; p < t.depth; ++p, a += t.a_depth, b += t.b_depth) {
    const __m256 left = _mm256_maskload_ps(b, mask[0]);
    const __m256 right = _mm256_maskload_ps(b + kLanes, mask[1]);
    PHALANX_UNROLL for (int i = 0; i < kRows; ++i) {
      const __m256 factor = _mm256_set1_ps(a[i * t.a_row]);
      sum[i][0] = _mm256_fmadd_ps(factor, left, sum[i][0]);
      sum[i][1] = _mm256_fmadd_ps(factor, right, sum[i][1]);
    }
  }
  const __m256 alpha = _mm256_set1_ps(t.alpha), beta = _mm256_set1_ps(t.beta);
  PHALANX_UNROLL for (int i = 0; i < kRows; ++i) {
    PHALANX_UNROLL for (int j = 0; j < 2; ++j) {
      float* c = t.c + i * t.c_row + first + j * kLanes;
      __m256 value = _mm256_mul_ps(alpha, sum[i][j]);
      if (t.beta != 0) value = _mm256_fmadd_ps(beta, _mm256_maskload_ps(c, mask[j]), value);
      _mm256_maskstore_ps(c, mask[j], value);
    }
  }
}

void tile(const Tile& t) {
  constexpr std::array kStrips = {strip<1>, strip<2>, strip<3>, strip<4>, strip<5>, strip<6>};
  static_assert(kStrips.size() == kTileRows);
  for (std::int64_t first = 0; first < t.columns; first += kStrip)
    kStrips[static_cast<std::size_t>(t.rows - 1)](t, first);
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

const MicroKernel kAvx2 = {"AVX2",
                           UnitType::kFloat,
                           has_avx2,
                           tile,
                           pack_plainly<UnitType::kFloat, float>,
                           pack_plainly<UnitType::kFloat, c10::BFloat16>};

}  // namespace phalanx::kernels

#endif

#include "kernels/peak.h"

#include <algorithm>

#include "base/clock.h"
#include "kernels/cpu/simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace phalanx::kernels {
namespace {

// Enough to keep two units of a latency of 4 or 5 cycles busy, and together with both operands few
// enough for 16 registers.
constexpr int kSums = 12;
#define PHALANX_EACH_SUM _Pragma("GCC unroll 12") for (int i = 0; i < kSums; ++i)

typedef float Floats4 __attribute__((vector_size(16)));
typedef float Floats8 __attribute__((vector_size(32)));
typedef float Floats16 __attribute__((vector_size(64)));

// Each sum has a start of its own and all are in the total: no compiler can merge or drop one.
template <class Vector>
PHALANX_INLINE void begin(Vector (&sums)[kSums]) {
  PHALANX_EACH_SUM sums[i] = Vector{} + static_cast<float>(i + 1);
}

template <class Vector>
PHALANX_INLINE double total(const Vector (&sums)[kSums]) {
  Vector sum{};
  PHALANX_EACH_SUM sum += sums[i];
  double total = 0;
  for (std::size_t lane = 0; lane < sizeof sum / sizeof sum[0]; ++lane)
    total += static_cast<double>(sum[lane]);
  return total;
}

// Compiled within functions of an instruction set, which fuses the two operations where it can.
template <class Vector>
PHALANX_INLINE double multiply_add(std::int64_t rounds, float factor, float addend) {
  Vector sums[kSums];
  begin(sums);
  for (std::int64_t round = 0; round < rounds; ++round)
    PHALANX_EACH_SUM sums[i] = sums[i] * factor + addend;
  return total(sums);
}

template <class Vector>
constexpr PeakLoop loop(const char* name, bool (*runs_here)(),
                        double (*run)(std::int64_t, float, float), int elements_per_lane = 1) {
  constexpr int kLanes = sizeof(Vector) / sizeof(float);
  return {name, runs_here, kLanes, kSums, 2.0 * elements_per_lane * kLanes * kSums, run};
}

bool everywhere() { return true; }

double portable(std::int64_t rounds, float factor, float addend) {
  return multiply_add<Floats4>(rounds, factor, addend);
}

#if defined(__x86_64__)

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() { return has_avx2() && __builtin_cpu_supports("avx512f"); }
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

__attribute__((target("avx2,fma"))) double avx2(std::int64_t rounds, float factor, float addend) {
  return multiply_add<Floats8>(rounds, factor, addend);
}

__attribute__((target("avx512f,fma"))) double avx512(std::int64_t rounds, float factor,
                                                     float addend) {
  return multiply_add<Floats16>(rounds, factor, addend);
}

__attribute__((target("avx512f,avx512bf16,fma"))) double avx512_bf16(std::int64_t rounds,
                                                                     float factor, float addend) {
  const auto pair = [](float x) { return static_cast<int>(bf16_bits(x) * 0x10001U); };
  const auto factors = (__m512bh)_mm512_set1_epi32(pair(factor));
  const auto addends = (__m512bh)_mm512_set1_epi32(pair(addend));
  Floats16 sums[kSums];
  begin(sums);
  for (std::int64_t round = 0; round < rounds; ++round)
    PHALANX_EACH_SUM sums[i] = _mm512_dpbf16_ps(sums[i], factors, addends);
  return total(sums);
}

constexpr PeakLoop kLoops[] = {
    loop<Floats16>("avx512-bf16", has_avx512_bf16, avx512_bf16, 2),
    loop<Floats16>("avx512", has_avx512, avx512),
    loop<Floats8>("avx2", has_avx2, avx2),
    loop<Floats4>("portable", everywhere, portable),
};
constexpr std::size_t kBFloat16Loops = 1;

#else

constexpr PeakLoop kLoops[] = {loop<Floats4>("portable", everywhere, portable)};
constexpr std::size_t kBFloat16Loops = 0;

#endif

}  // namespace

std::span<const PeakLoop> peak_loops(c10::ScalarType type) {
  const std::span<const PeakLoop> all(kLoops);
  return type == c10::ScalarType::BFloat16 ? all : all.subspan(kBFloat16Loops);
}

double peak_flops_per_second(c10::ScalarType type) {
  constexpr int kRuns = 24;
  constexpr std::int64_t kRounds = 1 << 15;  // 0.1 ms
  // Known when it runs only: neither factor nor result can be computed beforehand or left out.
  volatile float one = 1;
  [[maybe_unused]] volatile double result = 0;
  const auto loop = *std::ranges::find_if(peak_loops(type), [](auto& l) { return l.runs_here(); });
  double fastest = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = Clock::now();
    result = loop.run(kRounds, one, one);
    const double taken = seconds(Clock::now() - begin);
    fastest = std::max(fastest, static_cast<double>(kRounds) * loop.flops_per_round / taken);
  }
  return fastest;
}

}  // namespace phalanx::kernels

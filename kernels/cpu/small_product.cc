#include "kernels/cpu/small_product.h"

#include <vector>

#include "base/check.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

// What fits into the registers of an instruction set: rows x vectors sums, a vector of b each, and
// one of a.
struct Portable {
  static constexpr int kBytes = 16, kRows = 4, kVectors = 2;
  static constexpr bool kPairs = false;
};
struct Avx2 {
  static constexpr int kBytes = 32, kRows = 4, kVectors = 2;
  static constexpr bool kPairs = false;
};
struct Avx512 {
  static constexpr int kBytes = 64, kRows = 8, kVectors = 2;
  static constexpr bool kPairs = false;
};
struct Avx512Pairs : Avx512 {
  static constexpr bool kPairs = true;
};

template <class Set, class T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(Set::kBytes)));
  typedef Vector InMemory __attribute__((may_alias, aligned(alignof(T))));
  static constexpr std::int64_t kCount = Set::kBytes / sizeof(T);
};

template <class Set, class T, class Vector>
PHALANX_INLINE void multiply_add(Vector& sum, const T& a, const Vector& b) {
#if defined(__x86_64__)
  if constexpr (Set::kPairs) {
    asm("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b), "m"(a));
    return;
  }
#endif
  sum += b * a;
}

template <class Set, int kRows, int kVectors, class T>
PHALANX_INLINE void tile(const SmallProduct& size, Left<T> a, Panel<const T> b, Panel<T> c) {
  using Vector = typename Lanes<Set, T>::Vector;
  using InMemory = typename Lanes<Set, T>::InMemory;
  constexpr std::int64_t kLanes = Lanes<Set, T>::kCount;
  Vector sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = size.into == Into::kSum
                       ? *reinterpret_cast<const InMemory*>(c.data + r * c.stride + v * kLanes)
                       : Vector{};
  for (std::int64_t k = 0; k < size.depth; ++k) {
    Vector right[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v)
      right[v] = *reinterpret_cast<const InMemory*>(b.data + k * b.stride + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v)
        multiply_add<Set>(sums[r][v], a.data[r * a.row_stride + k * a.step], right[v]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v)
      *reinterpret_cast<InMemory*>(c.data + r * c.stride + v * kLanes) = sums[r][v];
}

// Columns of kVectors vectors from the row `row` on: tiles of kRows rows, then of half as many.
template <class Set, int kRows, int kVectors, class T>
PHALANX_INLINE void down(const SmallProduct& size, std::int64_t row, Left<T> a, Panel<const T> b,
                         Panel<T> c) {
  for (; row + kRows <= size.rows; row += kRows)
    tile<Set, kRows, kVectors>(size, {a.data + row * a.row_stride, a.row_stride, a.step}, b,
                               {c.data + row * c.stride, c.stride});
  if constexpr (kRows > 1) down<Set, kRows / 2, kVectors>(size, row, a, b, c);
}

template <class Set, class T>
PHALANX_INLINE void product(const SmallProduct& size, Left<T> a, Panel<const T> b, Panel<T> c) {
  constexpr std::int64_t kWide = Lanes<Set, T>::kCount * Set::kVectors;
  std::int64_t column = 0;
  for (; column + kWide <= size.columns; column += kWide)
    down<Set, Set::kRows, Set::kVectors>(size, 0, a, {b.data + column, b.stride},
                                         {c.data + column, c.stride});
  for (; column < size.columns; column += Lanes<Set, T>::kCount)
    down<Set, Set::kRows, 1>(size, 0, a, {b.data + column, b.stride}, {c.data + column, c.stride});
}

template <class T>
void portable(const SmallProduct& size, Left<T> a, Panel<const T> b, Panel<T> c) {
  product<Portable>(size, a, b, c);
}

#if defined(__x86_64__)
template <class T>
__attribute__((target("arch=x86-64-v3"))) void avx2(const SmallProduct& size, Left<T> a,
                                                    Panel<const T> b, Panel<T> c) {
  product<Avx2>(size, a, b, c);
}

template <class T>
__attribute__((target("arch=x86-64-v4"))) void avx512(const SmallProduct& size, Left<T> a,
                                                      Panel<const T> b, Panel<T> c) {
  product<Avx512>(size, a, b, c);
}

__attribute__((target("arch=x86-64-v4"))) void avx512_pairs(const SmallProduct& size, Left<float> a,
                                                            Panel<const float> b, Panel<float> c) {
  product<Avx512Pairs>(size, a, b, c);
}

// The levels x86-64-v3 and -v4, which clang's builtin does not know by name.
bool has_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi2");
}
bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

std::span<const SmallProductVariant> small_product_variants() {
  static const auto variants = [] {
    std::vector<SmallProductVariant> here = {{"portable", portable<float>, portable<double>}};
#if defined(__x86_64__)
    if (has_v3()) here.push_back({"avx2", avx2<float>, avx2<double>});
    if (has_v4()) here.push_back({"avx512", avx512<float>, avx512<double>});
#endif
    return here;
  }();
  return variants;
}

void small_product(const SmallProduct& size, Left<float> a, Panel<const float> b, Panel<float> c) {
  static const auto best = small_product_variants().back().of_float;
  best(size, a, b, c);
}

void small_product(const SmallProduct& size, Left<double> a, Panel<const double> b,
                   Panel<double> c) {
  static const auto best = small_product_variants().back().of_double;
  best(size, a, b, c);
}

#if defined(__x86_64__)
bool has_pair_product() { return has_v4() && __builtin_cpu_supports("avx512bf16"); }
void small_pair_product(const SmallProduct& size, Left<float> a, Panel<const float> b,
                        Panel<float> c) {
  avx512_pairs(size, a, b, c);
}
#else
bool has_pair_product() { return false; }
void small_pair_product(const SmallProduct&, Left<float>, Panel<const float>, Panel<float>) {
  check(false, "small_pair_product: not on this processor");
}
#endif

}  // namespace phalanx::kernels

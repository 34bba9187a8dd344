#pragma once

#include <c10/util/BFloat16.h>

#include <array>
#include <bit>
#include <type_traits>

#include "cuda_runtime.h"

// Products of tiles by a warp (nvcuda::wmma), 16 x 16 x 16 of bf16 with sums in fp32. A lane has
// every 32nd element of a sum: how they lie in registers is nobody's business.
using __nv_bfloat16 = c10::BFloat16;
namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major };

constexpr unsigned kEdge = 16, kLanes = 32;

// A factor, which is read where it is multiplied: nothing can come between in the same thread.
template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  static_assert(M == 16 && N == 16 && K == 16);
  const __nv_bfloat16* data = nullptr;
  unsigned stride = 0;

  float at(unsigned row, unsigned column) const {
    const bool in_rows = std::is_same_v<Layout, row_major>;
    const auto bits = data[in_rows ? row * stride + column : column * stride + row].x;
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
};
// A lane's part of a sum.
template <>
struct fragment<accumulator, 16, 16, 16, float> {
  std::array<float, kEdge * kEdge / kLanes> values;
};

template <class Use, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, __nv_bfloat16, Layout>& to,
                      const __nv_bfloat16* from, unsigned stride) {
  to.data = from;
  to.stride = stride;
}

// Calls body(value, row, column) for a lane's elements.
template <class Sum, class Body>
void for_each_own(Sum& sum, const Body& body) {
  unsigned i = threadIdx.x % kLanes;
  for (auto& value : sum.values) {
    body(value, i / kEdge, i % kEdge);
    i += kLanes;
  }
}

inline void load_matrix_sync(fragment<accumulator, 16, 16, 16, float>& to, const float* from,
                             unsigned stride, layout_t) {
  for_each_own(to, [&](float& value, unsigned row, unsigned column) {
    value = from[row * stride + column];
  });
}
inline void store_matrix_sync(float* to, const fragment<accumulator, 16, 16, 16, float>& from,
                              unsigned stride, layout_t) {
  for_each_own(
      from, [&](float value, unsigned row, unsigned column) { to[row * stride + column] = value; });
}
inline void fill_fragment(fragment<accumulator, 16, 16, 16, float>& to, float value) {
  to.values.fill(value);
}

template <class A, class B>
void mma_sync(fragment<accumulator, 16, 16, 16, float>& to,
              const fragment<matrix_a, 16, 16, 16, __nv_bfloat16, A>& a,
              const fragment<matrix_b, 16, 16, 16, __nv_bfloat16, B>& b,
              const fragment<accumulator, 16, 16, 16, float>& c) {
  to = c;
  for_each_own(to, [&](float& sum, unsigned row, unsigned column) {
    for (unsigned k = 0; k < kEdge; ++k) sum += a.at(row, k) * b.at(k, column);
  });
}

}  // namespace nvcuda::wmma

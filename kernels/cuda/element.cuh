#pragma once

#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <type_traits>

#include "kernels/operations/element.h"

// Elements in device code: as kernels/cpu/simd.h has them.
namespace phalanx::kernels::cuda {

__device__ inline float wide(float x) { return x; }
__device__ inline double wide(double x) { return x; }
__device__ inline float wide(Bf16 x) { return std::bit_cast<float>(std::uint32_t{x.x} << 16); }

// A computed value as it is kept: bf16 to the nearest, ties to even, not-a-number stays.
template <class T>
__device__ inline T rounded(Wide<T> x) {
  if constexpr (std::is_same_v<T, Bf16>) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t near = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    return {static_cast<std::uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : near),
            Bf16::from_bits()};
  } else {
    return x;
  }
}

template <class W>
__device__ inline W sigmoid(W x) {
  return W(1) / (W(1) + std::exp(-x));
}

}  // namespace phalanx::kernels::cuda

#pragma once

#include <type_traits>

#include "kernels/operations/matrix.h"
#include "kernels/cpu/gemm/micro_kernel.h"

namespace phalanx::kernels {

template <class T>
Lines<T> rows_of(Matrix<const T> a) {
  const bool turned = a.transpose == Transpose::kYes;
  return {a.data, turned ? 1 : a.stride, turned ? a.stride : 1};
}

template <class T>
Lines<T> columns_of(Matrix<const T> b) {
  const bool turned = b.transpose == Transpose::kYes;
  return {b.data, turned ? b.stride : 1, turned ? 1 : b.stride};
}

template <class T>
void pack_units(const MicroKernel& kernel, const Lines<T>& from, std::int64_t lines, std::int64_t k,
                std::int64_t width, Unit* packed) {
  if constexpr (std::is_same_v<T, float>) {
    kernel.pack_float(from, lines, k, width, packed);
  } else {
    kernel.pack_bfloat16(from, lines, k, width, packed);
  }
}

}  // namespace phalanx::kernels

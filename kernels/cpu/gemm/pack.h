#pragma once

#include <bit>

#include "kernels/cpu/gemm/micro_kernel.h"

namespace phalanx::kernels {

// The units of a line in plain code: for processors without better, and the rule for the others.
template <UnitType kType, class T>
Unit unit_at(const T* line, std::int64_t k_stride, std::int64_t k, std::int64_t unit) {
  if constexpr (kType == UnitType::kFloat) {
    return std::bit_cast<Unit>(static_cast<float>(line[unit * k_stride]));
  } else {
    const std::int64_t at = 2 * unit;
    const auto low = static_cast<c10::BFloat16>(line[at * k_stride]);
    const auto high =
        at + 1 < k ? static_cast<c10::BFloat16>(line[(at + 1) * k_stride]) : c10::BFloat16(0.0F);
    return Unit{low.x} | Unit{high.x} << 16;
  }
}

template <UnitType kType, class T>
void pack_plainly(const Lines<T>& from, std::int64_t lines, std::int64_t k, std::int64_t width,
                  Unit* packed) {
  const std::int64_t per_unit = kType == UnitType::kFloat ? 1 : 2;
  for (std::int64_t unit = 0; unit < (k + per_unit - 1) / per_unit; ++unit, packed += width)
    for (std::int64_t line = 0; line < width; ++line)
      packed[line] =
          line < lines ? unit_at<kType>(from.data + line * from.line_stride, from.k_stride, k, unit)
                       : 0;
}

}  // namespace phalanx::kernels

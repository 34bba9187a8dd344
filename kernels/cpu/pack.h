#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "kernels/cpu/small_product.h"

namespace phalanx::kernels {

// How matrices become right factors of small products (small_product.h). `from` is [rows, columns];
// columns of `to` from there up to panel_columns() become zero. bf16 is
// widened.
struct PackSize {
  std::int64_t rows, columns;
};

// to [rows, panel_columns(columns)] := from.
void pack(PackSize size, Panel<const float> from, Panel<float> to);
void pack(PackSize size, Panel<const double> from, Panel<double> to);
void pack(PackSize size, Panel<const c10::BFloat16> from, Panel<float> to);

// to [columns, panel_columns(rows)] := the transpose of from.
void pack_transposed(PackSize size, Panel<const float> from, Panel<float> to);
void pack_transposed(PackSize size, Panel<const double> from, Panel<double> to);
void pack_transposed(PackSize size, Panel<const c10::BFloat16> from, Panel<float> to);

// to [rows, panel_columns(columns)] := from, rounded.
void pack_rounded(PackSize size, Panel<const float> from, Panel<c10::BFloat16> to);

// to [(rows + 1) / 2, panel_columns(columns)]: each element holds the bf16 of two rows that follow
// each other, the first in the lower half, or zero where there is none.
void pack_pairs(PackSize size, Panel<const float> from, Panel<float> to);
void pack_pairs(PackSize size, Panel<const c10::BFloat16> from, Panel<float> to);

}  // namespace phalanx::kernels

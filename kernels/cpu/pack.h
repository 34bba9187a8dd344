#pragma once

#include <cstdint>

#include "kernels/cpu/small_product.h"

namespace phalanx::kernels {

// How matrices become right factors of small products (small_product.h). `from` is [rows, columns];
// columns of `to` from there up to panel_columns() become zero.
struct PackSize {
  std::int64_t rows, columns;
};

// to [rows, panel_columns(columns)] := from.
void pack(PackSize size, Panel<const float> from, Panel<float> to);
void pack(PackSize size, Panel<const double> from, Panel<double> to);

// to [columns, panel_columns(rows)] := the transpose of from.
void pack_transposed(PackSize size, Panel<const float> from, Panel<float> to);
void pack_transposed(PackSize size, Panel<const double> from, Panel<double> to);

}  // namespace phalanx::kernels

#pragma once

#include <cstdint>
#include <span>

#include "kernels/operations/matrix.h"

namespace phalanx::kernels {

// A row-major matrix in someone else's memory; `stride` is the distance of its rows in elements.
template <class T>
struct Panel {
  T* data;
  std::int64_t stride;
};

// The left factor of a small product: element (row, k) is data[row * row_stride + k * step].
template <class T>
struct Left {
  const T* data;
  std::int64_t row_stride, step;
};

// A product of operands that are in the cache: a tile of c is kept in registers, nothing is packed.
// a [rows, depth], b [depth, columns], c [rows, columns]; columns is a multiple of kPanelColumns.
// Every element is one sum along the depth, in its order. Fastest where rows of b and c are
// cache_stride() apart.
constexpr std::int64_t kPanelColumns = 16;
struct SmallProduct {
  std::int64_t rows, columns, depth;
  Into into;
};
void small_product(const SmallProduct& size, Left<float> a, Panel<const float> b, Panel<float> c);
void small_product(const SmallProduct& size, Left<double> a, Panel<const double> b,
                   Panel<double> c);

// The same by instruction set: those of this processor, the fastest, which small_product() takes,
// last.
struct SmallProductVariant {
  const char* name;
  void (*of_float)(const SmallProduct&, Left<float>, Panel<const float>, Panel<float>);
  void (*of_double)(const SmallProduct&, Left<double>, Panel<const double>, Panel<double>);
};
std::span<const SmallProductVariant> small_product_variants();

// The same with elements that are two bf16 each, which follow each other along the depth, the first
// in the lower half; depth counts these pairs. Sums are fp32. Only where has_pair_product().
bool has_pair_product();
void small_pair_product(const SmallProduct& size, Left<float> a, Panel<const float> b,
                        Panel<float> c);

// Columns that a panel of `columns` takes up.
constexpr std::int64_t panel_columns(std::int64_t columns) {
  return (columns + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
}

// A stride for rows of `columns`: an odd number of kPanelColumns, so that the rows of a panel fall
// into all sets of a cache.
constexpr std::int64_t cache_stride(std::int64_t columns) {
  return panel_columns(columns) | kPanelColumns;
}

}  // namespace phalanx::kernels

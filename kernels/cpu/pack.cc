#include "kernels/cpu/pack.h"

#include <algorithm>

#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void copy(PackSize size, Panel<const T> from, Panel<T> to) {
  const std::int64_t end = panel_columns(size.columns);
  for (std::int64_t r = 0; r < size.rows; ++r) {
    T* row = to.data + r * to.stride;
    std::copy_n(from.data + r * from.stride, size.columns, row);
    std::fill(row + size.columns, row + end, T(0));
  }
}

// In strips of as many rows as a panel has columns, so that what is written is contiguous.
template <class T>
PHALANX_INLINE void transpose(PackSize size, Panel<const T> from, Panel<T> to) {
  for (std::int64_t first = 0; first < size.rows; first += kPanelColumns) {
    const T* strip = from.data + first * from.stride;
    const std::int64_t rows = std::min(kPanelColumns, size.rows - first);
    for (std::int64_t c = 0; c < size.columns; ++c) {
      T* column = to.data + c * to.stride + first;
      if (rows == kPanelColumns) {
#pragma omp simd
        for (std::int64_t r = 0; r < kPanelColumns; ++r) column[r] = strip[r * from.stride + c];
      } else {
        for (std::int64_t r = 0; r < rows; ++r) column[r] = strip[r * from.stride + c];
        std::fill(column + rows, column + kPanelColumns, T(0));
      }
    }
  }
}

PHALANX_VECTORIZED void run(PackSize size, Panel<const float> from, Panel<float> to) {
  transpose(size, from, to);
}
PHALANX_VECTORIZED void run(PackSize size, Panel<const double> from, Panel<double> to) {
  transpose(size, from, to);
}

}  // namespace

void pack(PackSize size, Panel<const float> from, Panel<float> to) { copy(size, from, to); }
void pack(PackSize size, Panel<const double> from, Panel<double> to) { copy(size, from, to); }

void pack_transposed(PackSize size, Panel<const float> from, Panel<float> to) {
  run(size, from, to);
}
void pack_transposed(PackSize size, Panel<const double> from, Panel<double> to) {
  run(size, from, to);
}

}  // namespace phalanx::kernels

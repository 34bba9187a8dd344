#include "kernels/cpu/pack.h"

#include <algorithm>

#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void copy(PackSize size, Panel<const T> from, Panel<Wide<T>> to) {
  const std::int64_t end = panel_columns(size.columns);
  for (std::int64_t r = 0; r < size.rows; ++r) {
    const T* source = from.data + r * from.stride;
    Wide<T>* row = to.data + r * to.stride;
#pragma omp simd
    for (std::int64_t i = 0; i < size.columns; ++i) row[i] = wide(source[i]);
    std::fill(row + size.columns, row + end, Wide<T>(0));
  }
}

// In strips of as many rows as a panel has columns, so that what is written is contiguous.
template <class T>
PHALANX_INLINE void transpose(PackSize size, Panel<const T> from, Panel<Wide<T>> to) {
  for (std::int64_t first = 0; first < size.rows; first += kPanelColumns) {
    const T* strip = from.data + first * from.stride;
    const std::int64_t rows = std::min(kPanelColumns, size.rows - first);
    for (std::int64_t c = 0; c < size.columns; ++c) {
      Wide<T>* column = to.data + c * to.stride + first;
      if (rows == kPanelColumns) {
#pragma omp simd
        for (std::int64_t r = 0; r < kPanelColumns; ++r)
          column[r] = wide(strip[r * from.stride + c]);
      } else {
        for (std::int64_t r = 0; r < rows; ++r) column[r] = wide(strip[r * from.stride + c]);
        std::fill(column + rows, column + kPanelColumns, Wide<T>(0));
      }
    }
  }
}

PHALANX_VECTORIZED void run(PackSize size, Panel<const float> from, Panel<float> to) {
  copy(size, from, to);
}
PHALANX_VECTORIZED void run_transposed(PackSize size, Panel<const float> from, Panel<float> to) {
  transpose(size, from, to);
}
PHALANX_VECTORIZED void run(PackSize size, Panel<const double> from, Panel<double> to) {
  copy(size, from, to);
}
PHALANX_VECTORIZED void run_transposed(PackSize size, Panel<const double> from, Panel<double> to) {
  transpose(size, from, to);
}
PHALANX_VECTORIZED void run(PackSize size, Panel<const Bf16> from, Panel<float> to) {
  copy(size, from, to);
}
PHALANX_VECTORIZED void run_transposed(PackSize size, Panel<const Bf16> from, Panel<float> to) {
  transpose(size, from, to);
}

}  // namespace

void pack(PackSize size, Panel<const float> from, Panel<float> to) { run(size, from, to); }
void pack(PackSize size, Panel<const double> from, Panel<double> to) { run(size, from, to); }
void pack(PackSize size, Panel<const Bf16> from, Panel<float> to) { run(size, from, to); }

void pack_transposed(PackSize size, Panel<const float> from, Panel<float> to) {
  run_transposed(size, from, to);
}
void pack_transposed(PackSize size, Panel<const double> from, Panel<double> to) {
  run_transposed(size, from, to);
}
void pack_transposed(PackSize size, Panel<const Bf16> from, Panel<float> to) {
  run_transposed(size, from, to);
}

}  // namespace phalanx::kernels

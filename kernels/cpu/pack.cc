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

PHALANX_INLINE void round(PackSize size, Panel<const float> from, Panel<Bf16> to) {
  const std::int64_t end = panel_columns(size.columns);
  for (std::int64_t r = 0; r < size.rows; ++r) {
    const float* source = from.data + r * from.stride;
    Bf16* row = to.data + r * to.stride;
#pragma omp simd
    for (std::int64_t i = 0; i < size.columns; ++i) row[i] = rounded<Bf16>(source[i]);
    std::fill(row + size.columns, row + end, Bf16(0));
  }
}

template <class T>
PHALANX_INLINE void pair(PackSize size, Panel<const T> from, Panel<float> to) {
  const std::int64_t end = panel_columns(size.columns);
  for (std::int64_t r = 0; r < size.rows; r += 2) {
    const T *first = from.data + r * from.stride, *second = first + from.stride;
    float* row = to.data + r / 2 * to.stride;
    const std::uint32_t kept = r + 1 < size.rows ? 0xFFFF : 0;
    if (kept == 0) second = first;
#pragma omp simd
    for (std::int64_t i = 0; i < size.columns; ++i)
      row[i] = std::bit_cast<float>(bf16_bits(wide(first[i])) | (bf16_bits(wide(second[i])) & kept)
                                                                    << 16);
    std::fill(row + size.columns, row + end, 0.0F);
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
PHALANX_VECTORIZED void run_rounded(PackSize size, Panel<const float> from, Panel<Bf16> to) {
  round(size, from, to);
}
PHALANX_VECTORIZED void run_pairs(PackSize size, Panel<const float> from, Panel<float> to) {
  pair(size, from, to);
}
PHALANX_VECTORIZED void run_pairs(PackSize size, Panel<const Bf16> from, Panel<float> to) {
  pair(size, from, to);
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

void pack_rounded(PackSize size, Panel<const float> from, Panel<Bf16> to) {
  run_rounded(size, from, to);
}

void pack_pairs(PackSize size, Panel<const float> from, Panel<float> to) {
  run_pairs(size, from, to);
}
void pack_pairs(PackSize size, Panel<const Bf16> from, Panel<float> to) {
  run_pairs(size, from, to);
}

}  // namespace phalanx::kernels

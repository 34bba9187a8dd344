#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <span>

namespace phalanx::kernels {

// A product is made of tiles [kTileRows, kTileColumns] of c, each held in registers while a and b
// stream by (Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008).
constexpr std::int64_t kTileRows = 6;
constexpr std::int64_t kTileColumns = 64;

// What streams by are 32-bit units: one fp32, or two bf16 that follow each other along k, the
// first in the lower half, as VDPBF16PS takes them.
using Unit = std::uint32_t __attribute__((may_alias));
enum class UnitType { kFloat, kBFloat16Pair };

// A part of an operand, seen as lines along k: rows of a, columns of b. One stride is 1.
template <class T>
struct Lines {
  const T* data;
  std::int64_t line_stride, k_stride;  // in elements

  Lines from(std::int64_t line, std::int64_t k) const {
    return {data + line * line_stride + k * k_stride, line_stride, k_stride};
  }
};

// c [rows, columns] = alpha * a b + beta * c, summed over `depth` units in their order, in fp32.
struct Tile {
  std::int64_t depth;
  const Unit* a;  // unit p of row i at a[i * a_row + p * a_depth]; one of the strides is 1
  std::int64_t a_row, a_depth;
  const Unit* b;  // unit p of column j at b[p * b_depth + j]
  std::int64_t b_depth;
  float* c;
  std::int64_t c_row;
  std::int64_t rows, columns;  // at most kTileRows, kTileColumns
  float alpha, beta;           // beta 0: c is not read
};

// The innermost parts of a product for one instruction set. The sums of every element are taken in
// the same order by all of them.
struct MicroKernel {
  const char* name;
  UnitType unit;
  bool (*runs_here)();
  void (*tile)(const Tile&);
  // Units [depth, width] of `lines` (at most `width`) lines with k elements each; zero beyond them.
  void (*pack_float)(const Lines<float>&, std::int64_t lines, std::int64_t k, std::int64_t width,
                     Unit* packed);
  void (*pack_bfloat16)(const Lines<c10::BFloat16>&, std::int64_t lines, std::int64_t k,
                        std::int64_t width, Unit* packed);

  std::int64_t elements_per_unit() const { return unit == UnitType::kFloat ? 1 : 2; }
};

extern const MicroKernel kPortable, kAvx2, kAvx512, kAvx512BFloat16;

// All that this processor can run, the fastest last.
std::span<const MicroKernel* const> micro_kernels();

// The fastest one here for products of fp32, or of bf16 (which may compute in fp32).
const MicroKernel& best_micro_kernel(UnitType wanted);

}  // namespace phalanx::kernels

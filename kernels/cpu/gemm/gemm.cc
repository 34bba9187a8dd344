#include "kernels/cpu/gemm/gemm.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/cpu/gemm/operand.h"
#include "kernels/cpu/gemm/packed_matrix.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

// From how many rows on a panel of b that could be read where it lies is packed first.
constexpr std::int64_t kRowsWorthPackingB = 4 * kTileRows;
// The same for rows of a, that lie side by side, by columns.
constexpr std::int64_t kColumnsWorthPackingA = 4 * kTileColumns;

// Of lines that lie side by side: few enough that where their stride is a power of two, what is
// read stays in the cache until the neighbours have read their part of it.
constexpr std::int64_t kUnitsPackedAtATime = 16;

// Memory that products of one thread use again and again.
class Workspace {
 public:
  Unit* units(std::int64_t count) {
    if (count > size_) memory_ = UnitMemory(size_ = count);
    return memory_.get();
  }
  float* floats(std::int64_t count) { return reinterpret_cast<float*>(units(count)); }

 private:
  UnitMemory memory_{0};
  std::int64_t size_ = 0;
};

struct Workspaces {
  Workspace a, b, c;
};

Workspaces& workspaces() {
  static thread_local Workspaces all;
  return all;
}

template <class T>
bool is_unit(const MicroKernel& kernel) {
  return (kernel.unit == UnitType::kFloat) == std::is_same_v<T, float>;
}

struct Range {
  std::int64_t first, size;
};

// The rows of one block of a, along one depth block, as tiles take them: where they lie if they can
// be read there, else packed in groups of kTileRows, [depth, kTileRows].
template <class T>
class LeftBlock {
 public:
  LeftBlock(const MicroKernel& kernel, Workspace& memory, std::int64_t columns)
      : kernel_(kernel), memory_(memory), columns_(columns) {}

  void prepare(const Lines<T>& block, std::int64_t rows, std::int64_t k) {
    const std::int64_t per_unit = kernel_.elements_per_unit();
    depth_ = blocks_of(k, per_unit);
    if (readable(block, k)) {
      first_ = reinterpret_cast<const Unit*>(block.data);
      row_ = block.k_stride == 1 ? block.line_stride / per_unit : 1;
      along_ = block.k_stride;
      group_ = kTileRows * row_;
      return;
    }
    const std::int64_t groups = blocks_of(rows, kTileRows);
    row_ = 1;
    along_ = kTileRows;
    group_ = kTileRows * depth_;
    Unit* packed = memory_.units(groups * group_);
    // Lines that lie side by side share cache lines, so all take a few units before any takes more.
    const std::int64_t step = block.k_stride == 1 ? k : kUnitsPackedAtATime * per_unit;
    for (std::int64_t at = 0; at < k; at += step)
      for (std::int64_t g = 0; g < groups; ++g)
        pack_units(kernel_, block.from(g * kTileRows, at),
                   std::min(kTileRows, rows - g * kTileRows), std::min(step, k - at), kTileRows,
                   packed + g * group_ + at / per_unit * kTileRows);
    first_ = packed;
  }

  void place(Tile& tile, std::int64_t row) const {
    tile.depth = depth_;
    tile.a = first_ + row / kTileRows * group_;
    tile.a_row = row_;
    tile.a_depth = along_;
  }

 private:
  bool readable(const Lines<T>& block, std::int64_t k) const {
    if (!is_unit<T>(kernel_)) return false;
    const std::int64_t per_unit = kernel_.elements_per_unit();
    if (block.k_stride == 1) return k % per_unit == 0 && block.line_stride % per_unit == 0;
    return per_unit == 1 && columns_ < kColumnsWorthPackingA;
  }

  const MicroKernel& kernel_;
  Workspace& memory_;
  std::int64_t columns_;
  const Unit* first_ = nullptr;
  std::int64_t depth_ = 0, row_ = 0, along_ = 0, group_ = 0;
};

// Panels of b that are packed when they are needed, or read where they lie.
template <class T>
class RightOperand {
 public:
  RightOperand(const MicroKernel& kernel, Workspace& memory, Matrix<const T> b, std::int64_t rows,
               std::int64_t k, std::int64_t n)
      : kernel_(kernel),
        memory_(memory),
        lines_(columns_of(b)),
        k_(k),
        n_(n),
        in_place_(is_unit<T>(kernel) && kernel.elements_per_unit() == 1 &&
                  lines_.line_stride == 1 && rows < kRowsWorthPackingB) {}

  void place(Tile& tile, const DepthBlocks& blocks, std::int64_t block, std::int64_t panel) {
    const std::int64_t per_unit = kernel_.elements_per_unit();
    const auto at = lines_.from(panel * kTileColumns, blocks.first(block) * per_unit);
    if (in_place_) {
      tile.b = reinterpret_cast<const Unit*>(at.data);
      tile.b_depth = at.k_stride;
      return;
    }
    Unit* packed = memory_.units(kTileColumns * blocks.size);
    pack_units(kernel_, at, std::min(kTileColumns, n_ - panel * kTileColumns),
               std::min(blocks.depth(block) * per_unit, k_ - blocks.first(block) * per_unit),
               kTileColumns, packed);
    tile.b = packed;
    tile.b_depth = kTileColumns;
  }

 private:
  const MicroKernel& kernel_;
  Workspace& memory_;
  Lines<T> lines_;
  std::int64_t k_, n_;
  bool in_place_;
};

class PackedRightOperand {
 public:
  explicit PackedRightOperand(const PackedMatrix& b) : b_(b) {}

  void place(Tile& tile, const DepthBlocks&, std::int64_t block, std::int64_t panel) {
    tile.b = b_.panel(block, panel);
    tile.b_depth = kTileColumns;
  }

 private:
  const PackedMatrix& b_;
};

// Where tiles go: straight into c, which sums up over the depth blocks.
template <class C>
class Destination {
 public:
  Destination(Workspace&, Matrix<C> c, float alpha, float beta, Range, std::int64_t, std::int64_t)
      : c_(c), alpha_(alpha), beta_(beta) {}

  void run(const MicroKernel& kernel, Tile& tile, std::int64_t row, std::int64_t column,
           std::int64_t block) {
    tile.c = c_.data + row * c_.stride + column;
    tile.c_row = c_.stride;
    tile.alpha = alpha_;
    tile.beta = block == 0 ? beta_ : 1;
    kernel.tile(tile);
  }

 private:
  Matrix<C> c_;
  float alpha_, beta_;
};

// c [rows, columns] = sums + beta * c, rounded.
PHALANX_VECTORIZED void round_tile(const Tile& sums, float beta, c10::BFloat16* c,
                                   std::int64_t c_row) {
  for (std::int64_t i = 0; i < sums.rows; ++i) {
    const float* from = sums.c + i * sums.c_row;
    c10::BFloat16* to = c + i * c_row;
    if (beta == 0) {
#pragma omp simd
      for (std::int64_t j = 0; j < sums.columns; ++j) to[j] = rounded<c10::BFloat16>(from[j]);
    } else {
#pragma omp simd
      for (std::int64_t j = 0; j < sums.columns; ++j)
        to[j] = rounded<c10::BFloat16>(from[j] + beta * wide(to[j]));
    }
  }
}

// A c of bf16 is rounded once, when its sums in fp32 are complete.
template <>
class Destination<c10::BFloat16> {
 public:
  Destination(Workspace& memory, Matrix<c10::BFloat16> c, float alpha, float beta, Range rows,
              std::int64_t columns, std::int64_t blocks)
      : c_(c),
        alpha_(alpha),
        beta_(beta),
        rows_(rows),
        blocks_(blocks),
        // One block: each tile is rounded at once, and the next one takes its place.
        row_(blocks == 1 ? 0 : columns),
        sums_(memory.floats(blocks == 1 ? kTileRows * kTileColumns : rows.size * columns)) {}

  void run(const MicroKernel& kernel, Tile& tile, std::int64_t row, std::int64_t column,
           std::int64_t block) {
    tile.c = blocks_ == 1 ? sums_ : sums_ + (row - rows_.first) * row_ + column;
    tile.c_row = blocks_ == 1 ? kTileColumns : row_;
    tile.alpha = alpha_;
    tile.beta = block == 0 ? 0 : 1;
    kernel.tile(tile);
    if (block == blocks_ - 1)
      round_tile(tile, beta_, c_.data + row * c_.stride + column, c_.stride);
  }

 private:
  Matrix<c10::BFloat16> c_;
  float alpha_, beta_;
  Range rows_;
  std::int64_t blocks_, row_;
  float* sums_;
};

template <class A, class Right, class C>
void blocked_product(const MicroKernel& kernel, std::int64_t m, std::int64_t n, std::int64_t k,
                     float alpha, Matrix<const A> a, Right right, float beta, Matrix<C> c) {
  const std::int64_t per_unit = kernel.elements_per_unit();
  const DepthBlocks blocks(blocks_of(k, per_unit));
  LeftBlock<A> left(kernel, workspaces().a, n);
  Tile tile{};
  for (std::int64_t top = 0; top < m; top += kRowBlock) {
    const Range rows{top, std::min(kRowBlock, m - top)};
    Destination<C> destination(workspaces().c, c, alpha, beta, rows, n, blocks.count);
    for (std::int64_t d = 0; d < blocks.count; ++d) {
      const std::int64_t at = blocks.first(d) * per_unit;
      left.prepare(rows_of(a).from(top, at), rows.size,
                   std::min(blocks.depth(d) * per_unit, k - at));
      for (std::int64_t column = 0; column < n; column += kTileColumns) {
        right.place(tile, blocks, d, column / kTileColumns);
        tile.columns = std::min(kTileColumns, n - column);
        for (std::int64_t row = 0; row < rows.size; row += kTileRows) {
          left.place(tile, row);
          tile.rows = std::min(kTileRows, rows.size - row);
          destination.run(kernel, tile, top + row, column, d);
        }
      }
    }
  }
}

}  // namespace

template <class A, class B, class C>
void gemm_with(const MicroKernel& kernel, std::int64_t m, std::int64_t n, std::int64_t k,
               float alpha, Matrix<const A> a, Matrix<const B> b, float beta, Matrix<C> c) {
  check(c.transpose == Transpose::kNo, "gemm: c is written as it lies");
  blocked_product(kernel, m, n, k, alpha, a, RightOperand<B>(kernel, workspaces().b, b, m, k, n),
                  beta, c);
}

template <class A, class B, class C>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix<const A> a,
          Matrix<const B> b, float beta, Matrix<C> c) {
  constexpr bool kFloat = std::is_same_v<A, float> && std::is_same_v<B, float>;
  gemm_with(best_micro_kernel(kFloat ? UnitType::kFloat : UnitType::kBFloat16Pair), m, n, k, alpha,
            a, b, beta, c);
}

template <class A, class C>
void gemm(std::int64_t m, float alpha, Matrix<const A> a, const PackedMatrix& b, float beta,
          Matrix<C> c) {
  check(c.transpose == Transpose::kNo, "gemm: c is written as it lies");
  blocked_product(b.kernel(), m, b.columns(), b.rows(), alpha, a, PackedRightOperand(b), beta, c);
}

#define PHALANX_INSTANTIATE(A, B, C)                                                           \
  template void gemm(std::int64_t, std::int64_t, std::int64_t, float, Matrix<const A>,         \
                     Matrix<const B>, float, Matrix<C>);                                       \
  template void gemm_with(const MicroKernel&, std::int64_t, std::int64_t, std::int64_t, float, \
                          Matrix<const A>, Matrix<const B>, float, Matrix<C>);
#define PHALANX_INSTANTIATE_ALL(A, C)      \
  PHALANX_INSTANTIATE(A, float, C)         \
  PHALANX_INSTANTIATE(A, c10::BFloat16, C) \
  template void gemm(std::int64_t, float, Matrix<const A>, const PackedMatrix&, float, Matrix<C>);

PHALANX_INSTANTIATE_ALL(float, float)
PHALANX_INSTANTIATE_ALL(float, c10::BFloat16)
PHALANX_INSTANTIATE_ALL(c10::BFloat16, float)
PHALANX_INSTANTIATE_ALL(c10::BFloat16, c10::BFloat16)

}  // namespace phalanx::kernels

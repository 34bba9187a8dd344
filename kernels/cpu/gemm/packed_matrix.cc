#include "kernels/cpu/gemm/packed_matrix.h"

#include "kernels/cpu/gemm/operand.h"

namespace phalanx::kernels {

PackedMatrix::PackedMatrix(const MicroKernel& kernel, std::int64_t k, std::int64_t n)
    : kernel_(&kernel),
      k_(k),
      n_(n),
      panels_(blocks_of(n, kTileColumns)),
      blocks_(blocks_of(k, kernel.elements_per_unit())),
      memory_(kTileColumns * panels_ * blocks_.units) {}

template <class T>
void PackedMatrix::pack(Matrix<const T> b) {
  const auto lines = columns_of(b);
  const std::int64_t per_unit = kernel_->elements_per_unit();
  for (std::int64_t d = 0; d < blocks_.count; ++d)
    for (std::int64_t p = 0; p < panels_; ++p) {
      const std::int64_t column = p * kTileColumns, at = blocks_.first(d) * per_unit;
      pack_units(*kernel_, lines.from(column, at), std::min(kTileColumns, n_ - column),
                 std::min(blocks_.depth(d) * per_unit, k_ - at), kTileColumns, panel(d, p));
    }
}

template void PackedMatrix::pack(Matrix<const float>);
template void PackedMatrix::pack(Matrix<const c10::BFloat16>);

}  // namespace phalanx::kernels

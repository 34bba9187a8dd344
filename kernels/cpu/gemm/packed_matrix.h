#pragma once

#include <memory>
#include <new>

#include "kernels/cpu/gemm/blocking.h"
#include "kernels/operations/matrix.h"
#include "kernels/cpu/gemm/micro_kernel.h"

namespace phalanx::kernels {

// Memory for units, on a boundary of cache lines, not initialised.
class UnitMemory {
 public:
  explicit UnitMemory(std::int64_t count)
      : memory_(::operator new(static_cast<std::size_t>(count) * sizeof(Unit), kAlignment)) {}
  Unit* get() const { return static_cast<Unit*>(memory_.get()); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, kAlignment); }
  };
  std::unique_ptr<void, Free> memory_;
};

// The right operand [k, n] of products, in the order in which they read it: for every depth block,
// panels of kTileColumns columns.
class PackedMatrix {
 public:
  PackedMatrix(const MicroKernel& kernel, std::int64_t k, std::int64_t n);

  // b [k, n] of float or BFloat16.
  template <class T>
  void pack(Matrix<const T> b);

  std::int64_t rows() const { return k_; }
  std::int64_t columns() const { return n_; }
  const MicroKernel& kernel() const { return *kernel_; }
  // Units [depth of the block, kTileColumns].
  Unit* panel(std::int64_t depth_block, std::int64_t index) const {
    return memory_.get() + kTileColumns * (panels_ * blocks_.first(depth_block) +
                                           index * blocks_.depth(depth_block));
  }

 private:
  const MicroKernel* kernel_;
  std::int64_t k_, n_, panels_;
  DepthBlocks blocks_;
  UnitMemory memory_;
};

}  // namespace phalanx::kernels

#include <algorithm>
#include <vector>

#include "kernels/cpu/gemm/micro_kernel.h"

namespace phalanx::kernels {

std::span<const MicroKernel* const> micro_kernels() {
  static const auto runnable = [] {
    std::vector<const MicroKernel*> all = {&kPortable};
#if defined(__x86_64__)
    all.insert(all.end(), {&kAvx2, &kAvx512, &kAvx512BFloat16});
#endif
    std::erase_if(all, [](const MicroKernel* kernel) { return !kernel->runs_here(); });
    return all;
  }();
  return runnable;
}

const MicroKernel& best_micro_kernel(UnitType wanted) {
  const MicroKernel* best = nullptr;
  for (const MicroKernel* kernel : micro_kernels())
    if (kernel->unit == UnitType::kFloat || kernel->unit == wanted) best = kernel;
  return *best;
}

}  // namespace phalanx::kernels

#include <algorithm>

#include "kernels/cpu/gemm/micro_kernel.h"
#include "kernels/cpu/gemm/pack.h"

namespace phalanx::kernels {
namespace {

void tile(const Tile& t) {
  float sum[kTileRows][kTileColumns] = {};
  for (std::int64_t p = 0; p < t.depth; ++p)
    for (std::int64_t i = 0; i < t.rows; ++i) {
      const auto factor = std::bit_cast<float>(t.a[i * t.a_row + p * t.a_depth]);
      for (std::int64_t j = 0; j < t.columns; ++j)
        sum[i][j] += factor * std::bit_cast<float>(t.b[p * t.b_depth + j]);
    }
  for (std::int64_t i = 0; i < t.rows; ++i)
    for (std::int64_t j = 0; j < t.columns; ++j) {
      float& c = t.c[i * t.c_row + j];
      c = t.beta == 0 ? t.alpha * sum[i][j] : t.alpha * sum[i][j] + t.beta * c;
    }
}

}  // namespace

const MicroKernel kPortable = {"portable",
                               UnitType::kFloat,
                               [] { return true; },
                               tile,
                               pack_plainly<UnitType::kFloat, float>,
                               pack_plainly<UnitType::kFloat, c10::BFloat16>};

}  // namespace phalanx::kernels

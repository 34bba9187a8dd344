#pragma once

#include <cstdint>

namespace phalanx::kernels {

// *total = the sum of the values, in one order for each count.
struct Total {
  const double* values;
  std::int64_t count;
  double* total;
};

}  // namespace phalanx::kernels

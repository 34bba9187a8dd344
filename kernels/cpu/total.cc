#include <numeric>

#include "kernels/device.h"

namespace phalanx::kernels {

template <>
void perform<Cpu>(const Total& a) {
  *a.total = std::accumulate(a.values, a.values + a.count, 0.0);
}

}  // namespace phalanx::kernels

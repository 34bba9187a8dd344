#include <array>
#include <cstddef>

#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

// Lane l sums elements l, l + kLanes, ...: an order that vector code of any width keeps.
template <class T>
PHALANX_INLINE double sum_of_squares(const T* values, std::size_t count) {
  constexpr std::size_t kLanes = 32;
  std::array<double, kLanes> lanes{};
  const std::size_t whole = count - count % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
#pragma omp simd
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      lanes[lane] += value * value;
    }
  for (std::size_t i = whole; i < count; ++i) {
    const auto value = static_cast<double>(values[i]);
    lanes[i - whole] += value * value;
  }
  for (std::size_t width = kLanes / 2; width > 0; width /= 2)
    for (std::size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const SquaredNorm<float>& a) {
  *a.norm = sum_of_squares(a.values, static_cast<std::size_t>(a.count));
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const SquaredNorm<double>& a) {
  *a.norm = sum_of_squares(a.values, static_cast<std::size_t>(a.count));
}

}  // namespace phalanx::kernels

#include <cmath>
#include <type_traits>

#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void update(AdamWUpdate<T> s) {
  const AdamWFactors<T> f = s.factors;
#pragma omp simd
  for (std::int64_t i = 0; i < s.count; ++i) {
    const T gradient = s.gradients[i] * f.scale;
    const T first = f.beta1 * s.first[i] + f.rest1 * gradient;
    const T second = f.beta2 * s.second[i] + f.rest2 * gradient * gradient;
    s.first[i] = first;
    s.second[i] = second;
    const T denominator = std::sqrt(second) * f.second_correction + f.epsilon;
    const T updated = s.parameters[i] * f.keep - f.size * first / denominator;
    s.parameters[i] = updated;
    if constexpr (std::is_same_v<T, float>)
      if (s.rounded != nullptr) s.rounded[i] = rounded<Bf16>(updated);
  }
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const AdamWUpdate<float>& a) {
  update(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AdamWUpdate<double>& a) {
  update(a);
}

}  // namespace phalanx::kernels

#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE void turn(RopeTurn<T> a) {
  const std::int64_t half = a.head_width / 2;
  T* row = a.x;
  for (std::int64_t s = 0; s < a.sequences; ++s)
    for (std::int64_t position = 0; position < a.length; ++position, row += a.stride) {
      T* x = row;
      const Wide<T>* cosine = a.table + position * a.head_width;
      const Wide<T>* sine = cosine + half;
      for (std::int64_t head = 0; head < a.heads; ++head, x += a.head_width) {
#pragma omp simd
        for (std::int64_t i = 0; i < half; ++i) {
          const Wide<T> real = wide(x[i]), imaginary = wide(x[i + half]);
          x[i] = rounded<T>(real * cosine[i] - a.sign * (imaginary * sine[i]));
          x[i + half] = rounded<T>(imaginary * cosine[i] + a.sign * (real * sine[i]));
        }
      }
    }
}

}  // namespace

template <>
PHALANX_VECTORIZED void perform<Cpu>(const RopeTurn<float>& a) {
  turn(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RopeTurn<double>& a) {
  turn(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const RopeTurn<Bf16>& a) {
  turn(a);
}

}  // namespace phalanx::kernels

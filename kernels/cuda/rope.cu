#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

// A thread turns one complex number.
template <class T>
void run(const RopeTurn<T>& a) {
  const std::int64_t half = a.head_width / 2;
  const Rows pairs{a.sequences * a.length, a.heads * half};
  for_each_element(pairs, [a, half] __device__(std::int64_t row, std::int64_t pair) {
    const std::int64_t i = pair % half;
    const Wide<T>* cosine = a.table + row % a.length * a.head_width;
    const Wide<T>* sine = cosine + half;
    T* x = a.x + row * a.stride + pair / half * a.head_width;
    const Wide<T> real = wide(x[i]), imaginary = wide(x[i + half]);
    x[i] = rounded<T>(real * cosine[i] - a.sign * (imaginary * sine[i]));
    x[i + half] = rounded<T>(imaginary * cosine[i] + a.sign * (real * sine[i]));
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(RopeTurn)

}  // namespace phalanx::kernels

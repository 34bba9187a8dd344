#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

// What flat memory goes through: sums in fp64, and AdamW.
namespace phalanx::kernels {
namespace cuda {
namespace {

// The formula of kernels/cpu/adamw.cc.
template <class T>
void run(const AdamWUpdate<T>& a) {
  for_each(a.count, [a] __device__(std::int64_t i) {
    const AdamWFactors<T>& f = a.factors;
    const T gradient = a.gradients[i] * f.scale;
    const T first = f.beta1 * a.first[i] + f.rest1 * gradient;
    const T second = f.beta2 * a.second[i] + f.rest2 * gradient * gradient;
    a.first[i] = first;
    a.second[i] = second;
    const T denominator = std::sqrt(second) * f.second_correction + f.epsilon;
    const T updated = a.parameters[i] * f.keep - f.size * first / denominator;
    a.parameters[i] = updated;
    if constexpr (std::is_same_v<T, float>)
      if (a.rounded != nullptr) a.rounded[i] = rounded<Bf16>(updated);
  });
}

// Sums of parts, of whichever array is summed now: all is on one stream. The number is fixed, so
// that the order is.
constexpr std::int64_t kParts = 512;
__device__ double parts[kParts];

// *total = the sum of value(i) for all i below `count`.
template <class Value>
void sum_all(std::int64_t count, double* total, const Value& value) {
  for_each_block(kParts, [=] __device__(std::int64_t part) {
    const std::int64_t length = (count + kParts - 1) / kParts, begin = part * length;
    const std::int64_t end = begin + length < count ? begin + length : count;
    const auto sum =
        block_sum<double>(end - begin, [&](std::int64_t i) { return value(begin + i); });
    if (threadIdx.x == 0) parts[part] = sum;
  });
  for_each_block(1, [=] __device__(std::int64_t) {
    const auto sum = block_sum<double>(kParts, [&](std::int64_t part) { return parts[part]; });
    if (threadIdx.x == 0) *total = sum;
  });
}

template <class T>
struct Square {
  const T* values;
  __device__ double operator()(std::int64_t i) const {
    return double{values[i]} * double{values[i]};
  }
};

template <class T>
void run(const SquaredNorm<T>& a) {
  sum_all(a.count, a.norm, Square<T>{a.values});
}

struct Element {
  const double* values;
  __device__ double operator()(std::int64_t i) const { return values[i]; }
};

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_SUMS(AdamWUpdate)
PHALANX_CUDA_PERFORMS_SUMS(SquaredNorm)

template <>
void perform<Cuda>(const Total& a) {
  cuda::sum_all(a.count, a.total, cuda::Element{a.values});
}

}  // namespace phalanx::kernels

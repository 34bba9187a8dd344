#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

// A block counts one expert in one sequence, so that nothing is added by two.
template <class T>
void run(const ExpertLoad<T>& a) {
  for_each_block(a.run.sequences * a.count, [a] __device__(std::int64_t cell) {
    const std::int64_t sequence = cell / a.count, expert = cell % a.count;
    const auto times = block_sum<std::int64_t>(a.tokens * a.chosen, [&](std::int64_t choice) {
      const bool here =
          a.experts[choice] == expert && a.run.sequence(choice / a.chosen) == sequence;
      return std::int64_t{here};
    });
    if (threadIdx.x == 0) a.load[cell] = static_cast<T>(times);
  });
}

template <class T>
void run(const BalanceLoss<T>& a) {
  for_each(a.tokens, [a] __device__(std::int64_t token) {
    const T* load = a.load + a.run.sequence(token) * a.count;
    double loss = 0;
    for (std::int64_t e = 0; e < a.count; ++e)
      loss += double{a.probabilities[token * a.count + e]} * double{load[e]};
    a.losses[token] = loss;
  });
}

template <class T>
void run(const LoadOfTokens<T>& a) {
  for_each_element({a.tokens, a.count}, [a] __device__(std::int64_t token, std::int64_t e) {
    a.of_tokens[token * a.count + e] = a.load[a.run.sequence(token) * a.count + e];
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_SUMS(ExpertLoad)
PHALANX_CUDA_PERFORMS_SUMS(BalanceLoss)
PHALANX_CUDA_PERFORMS_SUMS(LoadOfTokens)

}  // namespace phalanx::kernels

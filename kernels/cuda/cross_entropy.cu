#include <limits>

#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

// A block has one token's logits.
namespace phalanx::kernels {
namespace cuda {
namespace {

template <class T>
__device__ Wide<T> largest_of(const T* logits, std::int64_t words) {
  return block_reduce(words, -std::numeric_limits<Wide<T>>::infinity(), Larger{},
                      [&](std::int64_t i) { return wide(logits[i]); });
}

template <class T>
__device__ Wide<T> sum_of_exponentials(const T* logits, std::int64_t words, Wide<T> largest) {
  return block_sum<Wide<T>>(words,
                            [&](std::int64_t i) { return std::exp(wide(logits[i]) - largest); });
}

// logits = softmax - one_hot(target); a target outside is another part's.
template <class T>
__device__ void write_gradient(T* logits, std::int64_t words, Wide<T> largest, Wide<T> sum,
                               std::int64_t target) {
  const Wide<T> inverse = Wide<T>(1) / sum;
  block_for_each(words, [&](std::int64_t i) {
    const Wide<T> share = std::exp(wide(logits[i]) - largest) * inverse;
    logits[i] = rounded<T>(i == target ? share - Wide<T>(1) : share);
  });
}

template <class T>
void run(const CrossEntropy<T>& a) {
  for_each_block(a.tokens, [a] __device__(std::int64_t token) {
    T* logits = a.logits + token * a.words;
    const std::int64_t target = a.targets[token];
    if (target < 0 || target >= a.words) __trap();
    const Wide<T> largest = largest_of(logits, a.words);
    const double margin = double{largest} - double{wide(logits[target])};
    const Wide<T> sum = sum_of_exponentials(logits, a.words, largest);
    if (threadIdx.x == 0) a.losses[token] = std::log(double{sum}) + margin;
    __syncthreads();  // every thread has read the target's logit
    write_gradient(logits, a.words, largest, sum, target);
  });
}

template <class T>
void run(const LargestLogits<T>& a) {
  for_each_block(a.tokens, [a] __device__(std::int64_t token) {
    const Wide<T> largest = largest_of(a.logits + token * a.words, a.words);
    if (threadIdx.x == 0) a.largest[token] = largest;
  });
}

template <class T>
void run(const ExponentialSums<T>& a) {
  for_each_block(a.tokens, [a] __device__(std::int64_t token) {
    const T* logits = a.logits + token * a.words;
    const Wide<T> sum = sum_of_exponentials(logits, a.words, a.largest[token]);
    const std::int64_t word = a.targets[token] - a.first_word;
    if (threadIdx.x > 0) return;
    a.sums[token] = sum;
    a.sums[a.tokens + token] =
        word >= 0 && word < a.words ? wide(logits[word]) - a.largest[token] : Wide<T>(0);
  });
}

template <class T>
void run(const CrossEntropyOfPart<T>& a) {
  for_each_block(a.tokens, [a] __device__(std::int64_t token) {
    write_gradient(a.logits + token * a.words, a.words, a.largest[token], a.sums[token],
                   a.targets[token] - a.first_word);
    if (threadIdx.x == 0)
      a.losses[token] = std::log(double{a.sums[token]}) - double{a.sums[a.tokens + token]};
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(CrossEntropy)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(LargestLogits)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(ExponentialSums)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(CrossEntropyOfPart)

}  // namespace phalanx::kernels

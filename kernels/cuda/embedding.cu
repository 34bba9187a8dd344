#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace cuda {
namespace {

// The row of a token in the table, -1 for none. A token beyond the vocabulary ends the kernel and
// with it the process's use of the device.
__device__ std::int64_t row_of_token(const TokensOfPart& of, std::int64_t i) {
  if (of.tokens[i] < 0 || of.tokens[i] >= of.vocab) __trap();
  const std::int64_t word = of.tokens[i] - of.first_word;
  return word >= 0 && word < of.words ? word : -1;
}

template <class T>
void run(const EmbeddingForward<T>& a) {
  for_each_block(a.of.count, [a] __device__(std::int64_t token) {
    const std::int64_t row = row_of_token(a.of, token);
    if (row < 0) return;
    block_for_each(a.width,
                   [&](std::int64_t i) { a.y[token * a.width + i] = a.table[row * a.width + i]; });
  });
}

// A word's gradients are added by the block of its first token, in the order of the tokens.
template <class T>
void run(const EmbeddingBackward<T>& a) {
  for_each_block(a.of.count, [a] __device__(std::int64_t token) {
    const std::int64_t row = row_of_token(a.of, token), word = a.of.tokens[token];
    if (row < 0) return;
    const auto same_before = block_sum<int>(
        token, [&](std::int64_t other) { return a.of.tokens[other] == word ? 1 : 0; });
    if (same_before > 0) return;
    block_for_each(a.width, [&](std::int64_t i) {
      Wide<T> sum = a.dtable[row * a.width + i];
      for (std::int64_t other = token; other < a.of.count; ++other)
        if (a.of.tokens[other] == word) sum += wide(a.dy[other * a.width + i]);
      a.dtable[row * a.width + i] = sum;
    });
  });
}

}  // namespace
}  // namespace cuda

PHALANX_CUDA_PERFORMS_ACTIVATIONS(EmbeddingForward)
PHALANX_CUDA_PERFORMS_ACTIVATIONS(EmbeddingBackward)

}  // namespace phalanx::kernels

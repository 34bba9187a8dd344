#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The sum over tokens of -log softmax(logits)[target], in nats, accumulated in fp64 in the order of
// the tokens. `logits` [tokens, vocab], contiguous, become their own gradient, softmax(logits) -
// one_hot(target): nothing else of their size is needed. `targets` int64, tokens elements, each in
// [0, vocab).
double cross_entropy(at::Tensor& logits, const at::Tensor& targets);

}  // namespace phalanx::kernels

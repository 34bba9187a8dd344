#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The sum over tokens of -log softmax(logits)[target], in nats, accumulated in fp64 in the order of
// the tokens: one fp64 number [1], on the device. `logits` [tokens, vocab], contiguous, become
// their own gradient, softmax(logits) - one_hot(target): nothing else of their size is needed.
// `targets` int64, tokens elements, each in [0, vocab).
at::Tensor cross_entropy(at::Tensor& logits, const at::Tensor& targets);

// The same where ranks hold parts of the vocabulary (Shoeybi et al. 2019): `logits` [tokens, words]
// are those of words [first_word, first_word + words), and targets may be any word. Between the
// three the caller takes the largest, then the sums, over all parts. All are of the type that
// logits are accumulated in.
at::Tensor largest_logits(const at::Tensor& logits);  // [tokens]
// [2, tokens]: the sum of exp(logit - largest), and target's logit - largest where it is here, else
// 0.
at::Tensor exponential_sums(const at::Tensor& logits, const at::Tensor& targets,
                            std::int64_t first_word, const at::Tensor& largest);
// `logits` become their gradient; returns the loss of all tokens, [1].
at::Tensor cross_entropy_of_part(at::Tensor& logits, const at::Tensor& targets,
                                 std::int64_t first_word, const at::Tensor& largest,
                                 const at::Tensor& sums);

}  // namespace phalanx::kernels

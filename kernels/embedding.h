#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace phalanx::kernels {

// The rows of table [words, width] named by tokens (int64, any shape): [..., width]. The table is
// that of words [first_word, first_word + words) of a vocabulary of `vocab`; other words have rows
// of zeros.
struct VocabularyPart {
  std::int64_t first_word, vocab;
};
at::Tensor embedding(const at::Tensor& tokens, const at::Tensor& table, VocabularyPart part);

// dtable[token] += dy's row, in the order of the tokens, so that sums repeat bit for bit. fp32
// where dy is bf16.
void add_embedding_backward(const at::Tensor& dy, const at::Tensor& tokens, at::Tensor dtable,
                            VocabularyPart part);

}  // namespace phalanx::kernels

#pragma once

#include <ATen/core/Tensor.h>

namespace phalanx::kernels {

// The rows of table [vocab, width] named by tokens (int64, any shape, each in [0, vocab)): [...,
// width].
at::Tensor embedding(const at::Tensor& tokens, const at::Tensor& table);

// dtable[token] += dy's row, in the order of the tokens, so that sums repeat bit for bit. fp32
// where dy is bf16.
void add_embedding_backward(const at::Tensor& dy, const at::Tensor& tokens, at::Tensor dtable);

}  // namespace phalanx::kernels

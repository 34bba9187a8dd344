#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace phalanx::kernels {

// Causal attention in which groups of query heads share a key and value head (Ainslie et al. 2023):
//   out = softmax(q k^T / sqrt(head_width), positions up to the query's own) v
// q [sequences, length, heads * head_width], k and v [sequences, length, kv_heads * head_width],
// contiguous; query head h uses key head h / (heads / kv_heads). Rows are processed in blocks
// against only the positions they may see, and the probabilities are computed again in the backward
// pass from the saved log_sum_exp [sequences, heads, length] (Dao et al. 2022), so memory grows
// with length, not with its square.
struct Attention {
  at::Tensor out;  // shape of q
  at::Tensor log_sum_exp;
};
Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    std::int64_t heads, std::int64_t kv_heads);

struct AttentionGradient {
  at::Tensor dq, dk, dv;
};
AttentionGradient attention_backward(const at::Tensor& dout, const at::Tensor& q,
                                     const at::Tensor& k, const at::Tensor& v,
                                     const Attention& forward, std::int64_t heads,
                                     std::int64_t kv_heads);

}  // namespace phalanx::kernels

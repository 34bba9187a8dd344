#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace phalanx::kernels {

// Query heads, and the key and value heads that groups of them share (Ainslie et al. 2023): query
// head h uses key head h / (query / key_value).
struct HeadCounts {
  std::int64_t query, key_value;
};

// Causal attention:  out = softmax(q k^T / sqrt(head_width), positions that the query sees) v
// q and out [sequences, length, query * head_width], k and v [sequences, length, key_value *
// head_width]; rows of q, k and v may be parts of longer ones. A query sees its own position and
// those before it, back to `first_visible` of its position (int64 [sequences, length], never
// decreasing and never beyond the position: where its document begins) or, when undefined, all.
//
// The scores exist only as tiles in the cache, normalised as they come, and are computed again in
// the backward pass from log_sum_exp [sequences, query, length] (Dao et al. 2022), so memory grows
// with length, not with its square. In bf16 the products take bf16 and sum in fp32, where the
// processor can, and all else is fp32.
struct Attention {
  at::Tensor out;
  at::Tensor log_sum_exp;
};
Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                    const at::Tensor& first_visible = {});

// The gradients, in place: q, k and v hold their own afterwards.
void attention_backward(const at::Tensor& dout, at::Tensor& q, at::Tensor& k, at::Tensor& v,
                        const Attention& forward, HeadCounts heads,
                        const at::Tensor& first_visible = {});

}  // namespace phalanx::kernels

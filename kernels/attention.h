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

// Parts of it, of queries and keys from somewhere in their sequences: row i of q is at position
// `query + i`, row i of k and v at `key + i`. Sequences of q and k may differ in length, and be
// parts of longer ones.
struct FirstPositions {
  std::int64_t query = 0, key = 0;
};

// Attention to no key at all: out, of q's shape in the type that sums have (fp32 for bf16), is 0,
// and log_sum_exp that of nothing.
Attention no_attention(const at::Tensor& q, HeadCounts heads);

// `so_far`, attention of q to some keys, becomes that to these as well (no key counts twice): the
// parts of softmax merge through their log_sum_exp. Costs nothing where no query sees a key.
void add_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, HeadCounts heads,
                   FirstPositions first, Attention& so_far, const at::Tensor& first_visible = {});

// Of the shapes of q, k and v, in the type that sums have.
struct AttentionGradients {
  at::Tensor query, key, value;
};

// Adds what these queries and keys have to do with each other to the gradients; `forward` is
// attention to all keys, its out in q's type.
void add_attention_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const Attention& forward, HeadCounts heads,
                            FirstPositions first, AttentionGradients& gradients,
                            const at::Tensor& first_visible = {});

}  // namespace phalanx::kernels

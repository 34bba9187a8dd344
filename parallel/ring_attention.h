#pragma once

#include "comm/group.h"
#include "kernels/attention.h"
#include "parallel/meanwhile.h"

namespace phalanx::parallel {

// kernels::attention of sequences cut over `context` (Liu et al. 2023, "Ring Attention") in the
// zigzag split (layout/zigzag.h): q, k, v and out hold this rank's positions, [sequences, length /
// ranks, ...], in the order of layout::zigzag_positions(), and first_visible all of a sequence,
// [sequences, length].
//
// Keys and values go from rank to rank, on their way while what came before them is attended to;
// each step is the same work for every rank. Results of steps merge in fp32, or in fp64 for fp64.
// All members call it in the same order. Throws CommError.
kernels::Attention ring_attention(comm::Group& context, const at::Tensor& q, const at::Tensor& k,
                                  const at::Tensor& v, kernels::HeadCounts heads,
                                  const at::Tensor& first_visible = {});

// The gradients, in place, as kernels::attention_backward. Those of keys and values follow these
// around, one step behind and in the type of sums, and their owner attends to its own half of a
// step while they come home.
void ring_attention_backward(comm::Group& context, const at::Tensor& dout, at::Tensor& q,
                             at::Tensor& k, at::Tensor& v, const kernels::Attention& forward,
                             kernels::HeadCounts heads, const at::Tensor& first_visible = {},
                             Shade shade = {});

}  // namespace phalanx::parallel

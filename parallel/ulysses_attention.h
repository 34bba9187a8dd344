#pragma once

#include <vector>

#include "comm/group.h"
#include "kernels/attention.h"
#include "parallel/meanwhile.h"

namespace phalanx::parallel {

// What ulysses_attention() computed, and keeps for the way back.
struct UlyssesAttention {
  // Some of this rank's heads of the whole sequence.
  struct Heads {
    at::Tensor projected;         // q, k and v side by side
    kernels::Attention attended;  // what they attended to
  };
  at::Tensor out;  // [sequences, length / ranks, query heads * head_width]
  std::vector<Heads> groups;
};

// kernels::attention of sequences cut over `context`, with the arguments of ring_attention(): an
// all-to-all gives each rank its share of the heads over the whole sequence, another one gives the
// outputs back (Jacobs et al. 2023, "DeepSpeed Ulysses"). The ranks' number divides the query
// heads, and divides the key heads or is a multiple of them: then each is on several ranks, and
// their gradients of it are summed. A rank's heads go in layout::exchanged_head_groups(): while one
// group attends, the next and the outputs of the one before are on their way. All members call it
// in the same order. Throws CommError.
UlyssesAttention ulysses_attention(comm::Group& context, const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& v, kernels::HeadCounts heads,
                                   const at::Tensor& first_visible = {});

// The gradients, in place; uses up what the groups have projected.
void ulysses_attention_backward(comm::Group& context, const at::Tensor& dout, at::Tensor& q,
                                at::Tensor& k, at::Tensor& v, UlyssesAttention& forward,
                                kernels::HeadCounts heads, const at::Tensor& first_visible = {},
                                Shade shade = {});

}  // namespace phalanx::parallel

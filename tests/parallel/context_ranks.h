#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "layout/zigzag.h"
#include "parallel/ring_attention.h"
#include "parallel/ulysses_attention.h"
#include "tests/kernels/tensors.h"
#include "tests/parallel/ranks_as_threads.h"

// Attention of sequences cut over context ranks, beside kernels::attention of whole ones.
namespace phalanx::parallel::test_context {

using kernels::HeadCounts;
using test::numbers;
using test::relative_error;

struct Case {
  int ranks;
  std::int64_t sequences, length;
  HeadCounts heads;
  std::int64_t head_width;
  std::vector<std::int64_t> documents = {};  // where each but the first begins; none: no mask

  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    out << c.ranks << " ranks, " << c.sequences << " sequences of " << c.length << ", "
        << c.heads.query << " heads, " << c.heads.key_value << " of keys, each of " << c.head_width;
    for (const auto begin : c.documents) out << ", document at " << begin;
    return out;
  }
};

struct Inputs {
  at::Tensor q, k, v, dout, first_visible;
};

inline Inputs inputs_of(const Case& c, at::ScalarType type = at::kDouble) {
  const at::DimVector query{c.sequences, c.length, c.heads.query * c.head_width};
  const at::DimVector key{c.sequences, c.length, c.heads.key_value * c.head_width};
  Inputs in{(numbers(query, 1) * 3).to(type),
            (numbers(key, 2) * 3).to(type),
            numbers(key, 3, type),
            numbers(query, 4, type),
            {}};
  if (c.documents.empty()) return in;
  in.first_visible = at::zeros({c.sequences, c.length}, at::kLong);
  for (std::int64_t s = 0; s < c.sequences; ++s)
    for (const auto begin : c.documents) in.first_visible[s].slice(0, begin + s).fill_(begin + s);
  return in;
}

struct Found {
  at::Tensor out, dq, dk, dv;
};

inline Found of_one_rank(Inputs in, const Case& c) {
  const auto forward = kernels::attention(in.q, in.k, in.v, c.heads, in.first_visible);
  kernels::attention_backward(in.dout, in.q, in.k, in.v, forward, c.heads, in.first_visible);
  return {forward.out, in.q, in.k, in.v};
}

// q, k and v of a rank as columns of one matrix, as a block's projection leaves them.
inline Found run_ring(comm::Group& context, const Inputs& in, HeadCounts heads) {
  auto parts = at::cat({in.q, in.k, in.v}, 2)
                   .split_with_sizes({in.q.size(2), in.k.size(2), in.v.size(2)}, 2);
  const auto forward =
      ring_attention(context, parts[0], parts[1], parts[2], heads, in.first_visible);
  ring_attention_backward(context, in.dout, parts[0], parts[1], parts[2], forward, heads,
                          in.first_visible);
  return {forward.out, parts[0], parts[1], parts[2]};
}

inline Found run_ulysses(comm::Group& context, const Inputs& in, HeadCounts heads) {
  auto parts = at::cat({in.q, in.k, in.v}, 2)
                   .split_with_sizes({in.q.size(2), in.k.size(2), in.v.size(2)}, 2);
  auto forward = ulysses_attention(context, parts[0], parts[1], parts[2], heads, in.first_visible);
  ulysses_attention_backward(context, in.dout, parts[0], parts[1], parts[2], forward, heads,
                             in.first_visible);
  return {forward.out, parts[0], parts[1], parts[2]};
}

using Attend = Found (*)(comm::Group&, const Inputs&, HeadCounts);

// On c.ranks ranks, every second of them on another emulated node, and put together again.
inline Found on_all_ranks(const Inputs& in, const Case& c, Attend attend) {
  Found all{at::empty_like(in.q), at::empty_like(in.q), at::empty_like(in.k), at::empty_like(in.v)};
  std::vector<int> nodes;
  for (int rank = 0; rank < c.ranks; ++rank) nodes.push_back(rank / 2 % 2);
  on_ranks(nodes, 16 << 20, [&](const std::shared_ptr<comm::Group>& context) {
    const auto held = layout::zigzag_positions(c.length, c.ranks, context->rank());
    const auto index = at::tensor(held, at::kLong);
    const auto mine = [&](const at::Tensor& x) { return x.index_select(1, index); };
    const auto found = attend(
        *context, {mine(in.q), mine(in.k), mine(in.v), mine(in.dout), in.first_visible}, c.heads);
    // Each rank writes rows of its own.
    all.out.index_copy_(1, index, found.out);
    all.dq.index_copy_(1, index, found.dq);
    all.dk.index_copy_(1, index, found.dk);
    all.dv.index_copy_(1, index, found.dv);
    context->barrier().wait();
  });
  return all;
}

inline void expect_within(const Found& found, const Found& expected, double error) {
  EXPECT_LE(relative_error(found.out, expected.out), error);
  EXPECT_LE(relative_error(found.dq, expected.dq), error);
  EXPECT_LE(relative_error(found.dk, expected.dk), error);
  EXPECT_LE(relative_error(found.dv, expected.dv), error);
}

}  // namespace phalanx::parallel::test_context

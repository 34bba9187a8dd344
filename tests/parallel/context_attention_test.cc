// Attention of sequences cut over context ranks, against kernels::attention of whole ones.
#include <gmock/gmock.h>

#include "layout/zigzag.h"
#include "parallel/ring_attention.h"
#include "parallel/ulysses_attention.h"
#include "tests/kernels/tensors.h"
#include "tests/parallel/ranks_as_threads.h"

namespace phalanx::parallel {
namespace {

using kernels::HeadCounts;
using test::numbers;
using test::relative_error;

struct Case {
  int ranks;
  std::int64_t sequences, length;
  HeadCounts heads;
  std::int64_t head_width;
  std::vector<std::int64_t> documents = {};  // where each but the first begins; none: no mask
};

struct Inputs {
  at::Tensor q, k, v, dout, first_visible;
};

Inputs inputs_of(const Case& c, at::ScalarType type = at::kDouble) {
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

Found of_one_rank(Inputs in, const Case& c) {
  const auto forward = kernels::attention(in.q, in.k, in.v, c.heads, in.first_visible);
  kernels::attention_backward(in.dout, in.q, in.k, in.v, forward, c.heads, in.first_visible);
  return {forward.out, in.q, in.k, in.v};
}

// q, k and v of a rank as columns of one matrix, as a block's projection leaves them.
Found run_ring(comm::Group& context, const Inputs& in, HeadCounts heads) {
  auto parts = at::cat({in.q, in.k, in.v}, 2)
                   .split_with_sizes({in.q.size(2), in.k.size(2), in.v.size(2)}, 2);
  const auto forward =
      ring_attention(context, parts[0], parts[1], parts[2], heads, in.first_visible);
  ring_attention_backward(context, in.dout, parts[0], parts[1], parts[2], forward, heads,
                          in.first_visible);
  return {forward.out, parts[0], parts[1], parts[2]};
}

Found run_ulysses(comm::Group& context, const Inputs& in, HeadCounts heads) {
  auto parts = at::cat({in.q, in.k, in.v}, 2)
                   .split_with_sizes({in.q.size(2), in.k.size(2), in.v.size(2)}, 2);
  auto forward = ulysses_attention(context, parts[0], parts[1], parts[2], heads, in.first_visible);
  ulysses_attention_backward(context, in.dout, parts[0], parts[1], parts[2], forward, heads);
  return {forward.out, parts[0], parts[1], parts[2]};
}

using Attend = Found (*)(comm::Group&, const Inputs&, HeadCounts);

// On c.ranks ranks, every second of them on another emulated node, and put together again.
Found on_all_ranks(const Inputs& in, const Case& c, Attend attend) {
  Found all{at::empty_like(in.q), at::empty_like(in.q), at::empty_like(in.k), at::empty_like(in.v)};
  std::vector<int> nodes;
  for (int rank = 0; rank < c.ranks; ++rank) nodes.push_back(rank / 2 % 2);
  on_ranks(nodes, 16 << 20, [&](const std::shared_ptr<comm::Group>& context) {
    const auto held = layout::zigzag_positions(c.length, c.ranks, context->rank());
    const auto index = at::tensor(held, at::kLong);
    const auto mine = [&](const at::Tensor& x) {
      return x.defined() ? x.index_select(1, index) : x;
    };
    const auto found = attend(
        *context, {mine(in.q), mine(in.k), mine(in.v), mine(in.dout), mine(in.first_visible)},
        c.heads);
    // Each rank writes rows of its own.
    all.out.index_copy_(1, index, found.out);
    all.dq.index_copy_(1, index, found.dq);
    all.dk.index_copy_(1, index, found.dk);
    all.dv.index_copy_(1, index, found.dv);
    context->barrier().wait();
  });
  return all;
}

void expect_within(const Found& found, const Found& expected, double error) {
  EXPECT_LE(relative_error(found.out, expected.out), error);
  EXPECT_LE(relative_error(found.dq, expected.dq), error);
  EXPECT_LE(relative_error(found.dk, expected.dk), error);
  EXPECT_LE(relative_error(found.dv, expected.dv), error);
}

class ContextAttentionOf : public testing::TestWithParam<Case> {};

TEST_P(ContextAttentionOf, InARingIsThatOfOneRankWithItsGradients) {
  const Case c = GetParam();
  const auto in = inputs_of(c);
  expect_within(on_all_ranks(in, c, run_ring), of_one_rank(inputs_of(c), c), 1e-12);
}

TEST_P(ContextAttentionOf, WithHeadsForSequenceIsThatOfOneRankWithItsGradients) {
  Case c = GetParam();
  // As many heads as it takes; where there were fewer key heads than ranks, there still are.
  c.heads = {c.heads.query * c.ranks, c.heads.key_value == 1 ? 1 : c.heads.key_value * c.ranks};
  const auto in = inputs_of(c);
  expect_within(on_all_ranks(in, c, run_ulysses), of_one_rank(inputs_of(c), c), 1e-12);
}

TEST_P(ContextAttentionOf, InBf16IsWithinItsRoundingAndRepeatsBitForBit) {
  const Case c = GetParam();
  const auto in = inputs_of(c, at::kBFloat16);
  const auto expected = of_one_rank(inputs_of(c), c);
  const auto found = on_all_ranks(in, c, run_ring), again = on_all_ranks(in, c, run_ring);
  expect_within(found, expected, 2e-2);
  EXPECT_TRUE(test::same_bits(found.out, again.out));
  EXPECT_TRUE(test::same_bits(found.dq, again.dq));
  EXPECT_TRUE(test::same_bits(found.dk, again.dk));
}

// 2, 3, 4 and 8 ranks; groups of 1, 2 and 4 query heads; pieces within and beyond a tile of 128
// keys; documents that begin within, at and next to the edges of pieces, shorter and longer than
// these (in each sequence one position later than in the one before).
INSTANTIATE_TEST_SUITE_P(Ranks, ContextAttentionOf,
                         testing::Values(Case{2, 2, 24, {2, 2}, 6}, Case{3, 1, 30, {2, 1}, 8},
                                         Case{4, 2, 80, {4, 1}, 10}, Case{8, 1, 64, {4, 2}, 4},
                                         Case{2, 1, 560, {2, 1}, 16},
                                         Case{2, 2, 24, {2, 1}, 6, {5, 6, 11, 17}},
                                         Case{3, 2, 36, {4, 2}, 8, {1, 6, 18, 20, 29}},
                                         Case{4, 1, 96, {2, 2}, 8, {37}},
                                         Case{8, 2, 64, {2, 1}, 6, {3, 4, 30, 31, 32, 59}},
                                         Case{2, 1, 640, {2, 1}, 16, {159, 321}}));

// Four ranks of two key heads: each head is on two of them.
TEST(ContextAttention, SumsTheGradientsOfKeyHeadsThatSeveralRanksHave) {
  const Case c{4, 2, 48, {8, 2}, 6, {11}};
  const auto in = inputs_of(c);
  expect_within(on_all_ranks(in, c, run_ulysses), of_one_rank(inputs_of(c), c), 1e-12);
}

TEST(ContextAttention, OfPiecesOfManyTilesKeepsFp32) {
  const Case c{4, 1, 4096, {2, 1}, 32, {1000, 2600}};
  const auto in = inputs_of(c, at::kFloat);
  expect_within(on_all_ranks(in, c, run_ring), of_one_rank(inputs_of(c), c), 1e-5);
}

}  // namespace
}  // namespace phalanx::parallel

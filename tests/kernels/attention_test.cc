#include "kernels/attention.h"

#include <gtest/gtest.h>

#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::leaf;
using test::numbers;
using test::relative_error;

struct Case {
  std::int64_t sequences, length;
  HeadCounts heads;
  std::int64_t head_width;
  std::int64_t document = 0;  // positions of each but the last; 0: one document
};

struct Inputs {
  at::Tensor q, k, v, dout, first_visible;
};

Inputs inputs_of(const Case& c) {
  const at::DimVector query{c.sequences, c.length, c.heads.query * c.head_width};
  const at::DimVector key{c.sequences, c.length, c.heads.key_value * c.head_width};
  Inputs in{numbers(query, 1) * 3, numbers(key, 2) * 3, numbers(key, 3), numbers(query, 4), {}};
  if (c.document > 0) {
    const auto position = at::arange(c.length, at::kLong);
    in.first_visible =
        (position - position.remainder(c.document)).repeat({c.sequences, 1}).contiguous();
  }
  return in;
}

// The textbook: every key and value head repeated for its group, a mask, a softmax.
at::Tensor oracle(const Inputs& in, const Case& c) {
  const auto split = [&](const at::Tensor& x, std::int64_t heads) {
    return x.view({c.sequences, c.length, heads, c.head_width}).transpose(1, 2);
  };
  const auto group = c.heads.query / c.heads.key_value;
  const auto keys = split(in.k, c.heads.key_value).repeat_interleave(group, 1);
  const auto values = split(in.v, c.heads.key_value).repeat_interleave(group, 1);
  const auto scores = at::matmul(split(in.q, c.heads.query), keys.transpose(2, 3)) /
                      std::sqrt(static_cast<double>(c.head_width));
  auto unseen = at::ones({c.length, c.length}, at::kBool).triu(1);
  if (c.document > 0)
    unseen = unseen | (at::arange(c.length, at::kLong) < in.first_visible[0].unsqueeze(1));
  const auto p = scores.masked_fill(unseen, -INFINITY).softmax(-1);
  return at::matmul(p, values).transpose(1, 2).reshape_as(in.q);
}

struct Found {
  at::Tensor out, dq, dk, dv;
};

Found run(const Inputs& in, const Case& c, at::ScalarType type) {
  const auto copy = [&](const at::Tensor& x) { return x.detach().to(type, false, /*copy=*/true); };
  auto q = copy(in.q), k = copy(in.k), v = copy(in.v);
  const auto forward = attention(q, k, v, c.heads, in.first_visible);
  attention_backward(copy(in.dout), q, k, v, forward, c.heads, in.first_visible);
  return {forward.out, q, k, v};
}

class AttentionOf : public testing::TestWithParam<Case> {};

TEST_P(AttentionOf, IsTheTextbooksAndItsGradientsAutograds) {
  const Case c = GetParam();
  auto in = inputs_of(c);
  for (auto* x : {&in.q, &in.k, &in.v}) *x = leaf(*x);
  const auto expected = oracle(in, c);
  expected.backward(in.dout);

  const auto found = run(in, c, at::kDouble);
  EXPECT_LE(relative_error(found.out, expected), 1e-12);
  EXPECT_LE(relative_error(found.dv, in.v.grad()), 1e-12);
  if (c.length == 1) return;  // one position sees only itself: no gradient reaches q and k
  EXPECT_LE(relative_error(found.dq, in.q.grad()), 1e-11);
  EXPECT_LE(relative_error(found.dk, in.k.grad()), 1e-11);
}

TEST_P(AttentionOf, InFp32IsWithinRoundingOfFp64AndRepeatsBitForBit) {
  const Case c = GetParam();
  const auto in = inputs_of(c);
  const auto exact = run(in, c, at::kDouble), rounded = run(in, c, at::kFloat);
  const auto again = run(in, c, at::kFloat);
  EXPECT_LE(relative_error(rounded.out, exact.out), 2e-6);
  EXPECT_LE(relative_error(rounded.dv, exact.dv), 5e-6);
  EXPECT_TRUE(test::same_bits(rounded.out, again.out));
  EXPECT_TRUE(test::same_bits(rounded.dk, again.dk));
  if (c.length == 1) return;
  EXPECT_LE(relative_error(rounded.dq, exact.dq), 5e-6);
  EXPECT_LE(relative_error(rounded.dk, exact.dk), 5e-6);
}

// As one product leaves them: side by side.
TEST_P(AttentionOf, OfColumnsOfOneMatrixHasTheSameBits) {
  const Case c = GetParam();
  const auto in = inputs_of(c);
  const auto apart = run(in, c, at::kFloat);
  const auto all = at::cat({in.q, in.k, in.v}, 2).to(at::kFloat);
  auto parts = all.split_with_sizes({in.q.size(2), in.k.size(2), in.v.size(2)}, 2);
  const auto forward = attention(parts[0], parts[1], parts[2], c.heads, in.first_visible);
  attention_backward(in.dout.to(at::kFloat), parts[0], parts[1], parts[2], forward, c.heads,
                     in.first_visible);
  EXPECT_TRUE(test::same_bits(forward.out, apart.out));
  EXPECT_TRUE(test::same_bits(all, at::cat({apart.dq, apart.dk, apart.dv}, 2)));
}

// Ratios 1, 2 and 4; lengths below, at and beyond a block of 64 queries and a tile of 128 keys; one
// sequence and one position; documents that begin within, at and beyond a tile.
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionOf,
                         testing::Values(Case{2, 13, {4, 4}, 6}, Case{2, 64, {4, 2}, 6},
                                         Case{1, 131, {4, 1}, 10}, Case{1, 1, {2, 1}, 4},
                                         Case{3, 65, {3, 3}, 2}, Case{1, 300, {2, 1}, 64},
                                         Case{1, 257, {2, 2}, 33}, Case{2, 131, {4, 2}, 10, 50},
                                         Case{1, 300, {2, 1}, 16, 128},
                                         Case{1, 300, {1, 1}, 48, 3}));

// Keys in three parts, the last ones first, queries in two, each part of longer sequences.
Found run_in_parts(const Inputs& in, const Case& c, at::ScalarType type) {
  const auto q = in.q.to(type), k = in.k.to(type), v = in.v.to(type), dout = in.dout.to(type);
  auto forward = no_attention(q, c.heads);
  const auto sums = forward.log_sum_exp.options();
  AttentionGradients all{at::zeros(q.sizes(), sums), at::zeros(k.sizes(), sums),
                         at::zeros(v.sizes(), sums)};
  const auto for_each_pair = [&](const auto& body) {
    const std::int64_t half = c.length / 2, edges[] = {0, c.length / 5, c.length / 3, c.length};
    for (const int part : {2, 0, 1})
      for (const auto& [first, length] : {std::pair{half, c.length - half}, {0, half}})
        body(first, length, edges[part], edges[part + 1] - edges[part]);
  };
  const auto visible = [&](std::int64_t first, std::int64_t length) {
    return in.first_visible.defined() ? in.first_visible.narrow(1, first, length) : at::Tensor();
  };
  for_each_pair([&](std::int64_t query, std::int64_t queries, std::int64_t key, std::int64_t keys) {
    Attention part{forward.out.narrow(1, query, queries),
                   forward.log_sum_exp.narrow(2, query, queries)};
    add_attention(q.narrow(1, query, queries), k.narrow(1, key, keys), v.narrow(1, key, keys),
                  c.heads, {query, key}, part, visible(query, queries));
  });
  forward.out = forward.out.to(type);
  for_each_pair([&](std::int64_t query, std::int64_t queries, std::int64_t key, std::int64_t keys) {
    AttentionGradients part{all.query.narrow(1, query, queries), all.key.narrow(1, key, keys),
                            all.value.narrow(1, key, keys)};
    add_attention_backward(
        dout.narrow(1, query, queries), q.narrow(1, query, queries), k.narrow(1, key, keys),
        v.narrow(1, key, keys),
        {forward.out.narrow(1, query, queries), forward.log_sum_exp.narrow(2, query, queries)},
        c.heads, {query, key}, part, visible(query, queries));
  });
  return {forward.out, all.query, all.key, all.value};
}

TEST_P(AttentionOf, PartsOfTheKeysInAnyOrderMergesToThatOfAll) {
  const Case c = GetParam();
  if (c.length == 1) return;  // has no parts
  const auto in = inputs_of(c);
  const auto expected = run(in, c, at::kDouble), found = run_in_parts(in, c, at::kDouble);
  EXPECT_LE(relative_error(found.out, expected.out), 1e-13);
  EXPECT_LE(relative_error(found.dq, expected.dq), 1e-12);
  EXPECT_LE(relative_error(found.dk, expected.dk), 1e-12);
  EXPECT_LE(relative_error(found.dv, expected.dv), 1e-12);
  const auto rounded = run_in_parts(in, c, at::kBFloat16);
  EXPECT_LE(relative_error(rounded.out, expected.out), 1e-2);
  EXPECT_LE(relative_error(rounded.dq, expected.dq), 2e-2);
  EXPECT_LE(relative_error(rounded.dk, expected.dk), 2e-2);
  EXPECT_LE(relative_error(rounded.dv, expected.dv), 2e-2);
}

TEST(Attention, OfAPositionDoesNotChangeWithWhatFollows) {
  const auto q = numbers({1, 100, 8}, 1), k = numbers({1, 100, 8}, 2), v = numbers({1, 100, 8}, 3);
  const auto whole = attention(q, k, v, {2, 2}).out;
  auto changed = v.clone();
  changed.narrow(1, 70, 30).mul_(5);
  EXPECT_TRUE(test::same_bits(attention(q, k, changed, {2, 2}).out.narrow(1, 0, 70),
                              whole.narrow(1, 0, 70)));
}

// Scores that grow along the keys make every tile change what the ones before it came to.
TEST(Attention, OfScoresThatGrowAndOfLargeOnesStaysExact) {
  const Case c{1, 300, {1, 1}, 8};
  auto in = inputs_of(c);
  in.q.fill_(1);
  in.k = (at::arange(300, at::kDouble) * 0.5).view({1, 300, 1}).repeat({1, 1, 8});
  EXPECT_LE(relative_error(run(in, c, at::kDouble).out, oracle(in, c)), 1e-12);
  EXPECT_LE(relative_error(run(in, c, at::kFloat).out, oracle(in, c)), 1e-5);
}

TEST(Attention, KeepsNotANumber) {
  auto in = inputs_of({1, 70, {1, 1}, 8});
  in.k[0][3][0] = std::nan("");
  const auto out = attention(in.q, in.k, in.v, {1, 1}).out;
  EXPECT_TRUE(out.narrow(1, 3, 67).isnan().all().item<bool>());
}

}  // namespace
}  // namespace phalanx::kernels

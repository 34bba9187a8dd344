#include "kernels/attention.h"

#include <gtest/gtest.h>

#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::leaf;
using test::numbers;
using test::relative_error;

struct Case {
  std::int64_t sequences, length, heads, kv_heads, head_width;
};

// The textbook: every key and value head repeated for its group, a mask, a softmax.
at::Tensor oracle(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Case& c) {
  const auto split = [&](const at::Tensor& x, std::int64_t heads) {
    return x.view({c.sequences, c.length, heads, c.head_width}).transpose(1, 2);
  };
  const auto group = c.heads / c.kv_heads;
  const auto keys = split(k, c.kv_heads).repeat_interleave(group, 1);
  const auto values = split(v, c.kv_heads).repeat_interleave(group, 1);
  const auto scores = at::matmul(split(q, c.heads), keys.transpose(2, 3)) /
                      std::sqrt(static_cast<double>(c.head_width));
  const auto future = at::ones({c.length, c.length}, at::kBool).triu(1);
  const auto p = scores.masked_fill(future, -INFINITY).softmax(-1);
  return at::matmul(p, values).transpose(1, 2).reshape_as(q);
}

class AttentionOf : public testing::TestWithParam<Case> {};

TEST_P(AttentionOf, IsTheTextbooksAndItsGradientsAutograds) {
  const Case c = GetParam();
  const auto q = leaf(numbers({c.sequences, c.length, c.heads * c.head_width}, 1) * 3);
  const auto k = leaf(numbers({c.sequences, c.length, c.kv_heads * c.head_width}, 2) * 3);
  const auto v = leaf(numbers({c.sequences, c.length, c.kv_heads * c.head_width}, 3));
  const auto dout = numbers(q.sizes(), 4);
  const auto expected = oracle(q, k, v, c);
  expected.backward(dout);

  const auto found = attention(q.detach(), k.detach(), v.detach(), c.heads, c.kv_heads);
  EXPECT_LE(relative_error(found.out, expected), 1e-12);
  const auto gradient =
      attention_backward(dout, q.detach(), k.detach(), v.detach(), found, c.heads, c.kv_heads);
  EXPECT_LE(relative_error(gradient.dv, v.grad()), 1e-12);
  if (c.length == 1) return;  // one position sees only itself: no gradient reaches q and k
  EXPECT_LE(relative_error(gradient.dq, q.grad()), 1e-11);
  EXPECT_LE(relative_error(gradient.dk, k.grad()), 1e-11);
}

// Ratios 1, 2 and 4; lengths below, at and beyond the block of 64; one sequence and one position.
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionOf,
                         testing::Values(Case{2, 13, 4, 4, 6}, Case{2, 64, 4, 2, 6},
                                         Case{1, 131, 4, 1, 10}, Case{1, 1, 2, 1, 4},
                                         Case{3, 65, 3, 3, 2}));

TEST(Attention, OfAPositionDoesNotChangeWithWhatFollows) {
  const auto q = numbers({1, 100, 8}, 1), k = numbers({1, 100, 8}, 2), v = numbers({1, 100, 8}, 3);
  const auto whole = attention(q, k, v, 2, 2).out;
  auto changed = v.clone();
  changed.narrow(1, 70, 30).mul_(5);
  EXPECT_TRUE(
      test::same_bits(attention(q, k, changed, 2, 2).out.narrow(1, 0, 70), whole.narrow(1, 0, 70)));
}

TEST(Attention, InFp32IsWithinRoundingOfFp64) {
  const auto q = numbers({2, 130, 32}, 1) * 4, k = numbers({2, 130, 16}, 2) * 4;
  const auto v = numbers({2, 130, 16}, 3), dout = numbers({2, 130, 32}, 4);
  const auto low = [](const at::Tensor& x) { return x.to(at::kFloat); };
  const auto exact = attention(q, k, v, 2, 1), rounded = attention(low(q), low(k), low(v), 2, 1);
  EXPECT_LE(relative_error(rounded.out, exact.out), 2e-6);
  const auto expected = attention_backward(dout, q, k, v, exact, 2, 1);
  const auto found = attention_backward(low(dout), low(q), low(k), low(v), rounded, 2, 1);
  EXPECT_LE(relative_error(found.dq, expected.dq), 5e-6);
  EXPECT_LE(relative_error(found.dk, expected.dk), 5e-6);
  EXPECT_LE(relative_error(found.dv, expected.dv), 5e-6);
}

}  // namespace
}  // namespace phalanx::kernels

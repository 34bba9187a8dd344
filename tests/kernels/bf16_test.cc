#include <gtest/gtest.h>

#include "kernels/attention.h"
#include "kernels/cross_entropy.h"
#include "kernels/embedding.h"
#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/rope.h"
#include "kernels/swiglu.h"
#include "tests/kernels/tensors.h"

// Activations in bf16: every kernel is its fp32 self on the same values, rounded once.
namespace phalanx::kernels {
namespace {

using test::numbers;
using test::relative_error;

// Rounding to the nearest to 8 bits comes to 1.7e-3 of a tensor's norm; cutting off to twice that.
constexpr double kRoundedOnce = 2e-3;

at::Tensor bf16(at::IntArrayRef shape, std::uint64_t seed, double scale = 1) {
  return (numbers(shape, seed) * scale).to(at::kBFloat16);
}
at::Tensor fp32(const at::Tensor& x) { return x.to(at::kFloat, false, /*copy=*/true); }

TEST(Bf16, RmsNormAndItsGradient) {
  const auto x = bf16({3, 257}, 1), residual = bf16({3, 257}, 3);
  auto dy = bf16({3, 257}, 2);
  const auto weight = numbers({257}, 4, at::kFloat);
  const auto expected = rms_norm(fp32(x), weight, 1e-5), found = rms_norm(x, weight, 1e-5);
  EXPECT_LE(relative_error(found.y, expected.y), kRoundedOnce);
  EXPECT_LE(relative_error(found.inverse_rms, expected.inverse_rms), 1e-6);
  auto exact_dy = fp32(dy);
  const auto gradient =
      rms_norm_backward(exact_dy, fp32(x), weight, expected.inverse_rms, fp32(residual));
  const auto rounded = rms_norm_backward(dy, x, weight, found.inverse_rms, residual);
  EXPECT_TRUE(test::same_bits(dy, found.y));
  EXPECT_LE(relative_error(rounded.dx, gradient.dx), kRoundedOnce);
  EXPECT_LE(relative_error(rounded.dweight, gradient.dweight), 1e-6);
}

TEST(Bf16, Rope) {
  const auto table = rope_table(3, 9, 6, 1e4, at::kFloat);
  auto found = bf16({2, 9, 18}, 1), expected = fp32(found);
  rope(found, table);
  rope(expected, table);
  EXPECT_LE(relative_error(found, expected), kRoundedOnce);
}

TEST(Bf16, SwigluAndItsGradient) {
  auto gate_up = at::cat({bf16({5, 37}, 1, 8), bf16({5, 37}, 2)}, 1), dy = bf16({5, 37}, 3);
  auto exact = fp32(gate_up), exact_dy = fp32(dy);
  const auto y = swiglu(gate_up);
  EXPECT_LE(relative_error(y, swiglu(exact)), kRoundedOnce);
  swiglu_backward(dy, gate_up);
  swiglu_backward(exact_dy, exact);
  EXPECT_TRUE(test::same_bits(dy, y));
  EXPECT_LE(relative_error(gate_up.narrow(1, 0, 37), exact.narrow(1, 0, 37)), kRoundedOnce);
  EXPECT_LE(relative_error(gate_up.narrow(1, 37, 37), exact.narrow(1, 37, 37)), kRoundedOnce);
}

TEST(Bf16, CrossEntropyAndItsGradient) {
  auto found = bf16({64, 1001}, 1, 10), expected = fp32(found);
  const auto targets = at::arange(64, at::kLong);
  EXPECT_NEAR((cross_entropy(found, targets) / cross_entropy(expected, targets)).item<double>(), 1,
              1e-6);
  EXPECT_LE(relative_error(found, expected), kRoundedOnce);
}

TEST(Bf16, LinearAndItsGradients) {
  const auto x = bf16({5, 70}, 1), weight = bf16({11, 70}, 2), dy = bf16({5, 11}, 3);
  const auto residual = bf16({5, 11}, 4);
  EXPECT_LE(relative_error(kernels::linear(x, weight), kernels::linear(fp32(x), fp32(weight))),
            kRoundedOnce);
  EXPECT_LE(relative_error(linear_plus(x, weight, residual),
                           linear_plus(fp32(x), fp32(weight), fp32(residual))),
            kRoundedOnce);
  EXPECT_LE(relative_error(linear_backward_input(dy, weight),
                           linear_backward_input(fp32(dy), fp32(weight))),
            kRoundedOnce);
  auto found = numbers({11, 70}, 5, at::kFloat), expected = found.clone();
  add_linear_backward_weight(dy, x, found);
  add_linear_backward_weight(fp32(dy), fp32(x), expected);
  EXPECT_LE(relative_error(found, expected), 1e-6);
}

TEST(Bf16, Embedding) {
  const auto table = bf16({13, 5}, 1), dy = bf16({4, 5}, 2);
  const auto tokens = at::tensor({3, 12, 3, 0}, at::kLong);
  EXPECT_TRUE(
      test::same_bits(kernels::embedding(tokens, table, {0, 13}), table.index_select(0, tokens)));
  auto found = at::zeros({13, 5}, at::kFloat), expected = at::zeros({13, 5}, at::kFloat);
  add_embedding_backward(dy, tokens, found, {0, 13});
  add_embedding_backward(fp32(dy), tokens, expected, {0, 13});
  EXPECT_TRUE(test::same_bits(found, expected));
}

// An even width of a head takes products of pairs where the processor has them, with tiles rounded
// to bf16; an odd one takes those of fp32. On a GPU tiles are rounded for every width, which a
// width of 1 shows most.
TEST(Bf16, AttentionAndItsGradient) {
  for (const std::int64_t head_width : {1, 10, 33, 64})
    for (const std::int64_t length : {1, 131, 300}) {
      const at::DimVector query{2, length, 4 * head_width}, key{2, length, 2 * head_width};
      auto q = bf16(query, 1, 3), k = bf16(key, 2, 3), v = bf16(key, 3);
      auto exact_q = fp32(q), exact_k = fp32(k), exact_v = fp32(v);
      const auto dout = bf16(query, 4);
      const auto found = attention(q, k, v, {4, 2});
      const auto expected = attention(exact_q, exact_k, exact_v, {4, 2});
      EXPECT_LE(relative_error(found.out, expected.out), 3e-3) << head_width << ' ' << length;
      EXPECT_LE(relative_error(found.log_sum_exp, expected.log_sum_exp), 1e-5);
      // The gradient reads the rounded output: only through its dot product with dout.
      attention_backward(dout, q, k, v, found, {4, 2});
      attention_backward(fp32(dout), exact_q, exact_k, exact_v, expected, {4, 2});
      EXPECT_LE(relative_error(v, exact_v), 4e-3) << head_width << ' ' << length;
      if (length == 1) continue;  // no gradient reaches q and k
      EXPECT_LE(relative_error(q, exact_q), 1.5e-2) << head_width << ' ' << length;
      EXPECT_LE(relative_error(k, exact_k), 1.5e-2) << head_width << ' ' << length;
    }
}

TEST(Bf16, KeepsNotANumber) {
  EXPECT_TRUE(swiglu(at::full({66}, std::nan(""), at::kBFloat16)).isnan().all().item<bool>());
}

}  // namespace
}  // namespace phalanx::kernels

#include <gtest/gtest.h>

#include "kernels/embedding.h"
#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/rope.h"
#include "kernels/swiglu.h"
#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::leaf;
using test::numbers;
using test::relative_error;

constexpr double kExact = 1e-12;

TEST(RmsNorm, IsTheFormulaAndItsGradientAutogradsAtAnyWidth) {
  for (const std::int64_t width : {1, 7, 24, 257}) {
    const auto x = leaf(numbers({2, 3, width}, 1)), weight = leaf(numbers({width}, 2));
    const auto dy = numbers({2, 3, width}, 3), residual = numbers({2, 3, width}, 4);
    const auto expected = x * at::rsqrt(x.square().mean(-1, true) + 1e-5) * weight;
    expected.backward(dy);

    const auto found = rms_norm(x.detach(), weight.detach(), 1e-5);
    EXPECT_LE(relative_error(found.y, expected), kExact) << width;
    auto becomes_y = dy.clone();
    const auto gradient =
        rms_norm_backward(becomes_y, x.detach(), weight.detach(), found.inverse_rms, residual);
    EXPECT_TRUE(test::same_bits(becomes_y, found.y)) << width;
    EXPECT_LE(relative_error(gradient.dx, x.grad() + residual), kExact) << width;
    EXPECT_LE(relative_error(gradient.dweight, weight.grad()), kExact) << width;
    becomes_y = dy.clone();
    const auto alone =
        rms_norm_backward(becomes_y, x.detach(), weight.detach(), found.inverse_rms, {});
    EXPECT_LE(relative_error(alone.dx, x.grad()), 1e-10) << width;
  }
}

// Hugging Face's llama: x * cos + rotate_half(x) * sin.
at::Tensor rotate_half_oracle(const at::Tensor& x, std::int64_t heads, std::int64_t first,
                              double theta) {
  const auto length = x.size(1), width = x.size(2) / heads;
  const auto frequency = at::pow(theta, -at::arange(0, width, 2, at::kDouble) / width);
  const auto angle = at::outer(at::arange(first, first + length, at::kDouble), frequency);
  const auto both = at::cat({angle, angle}, 1).unsqueeze(1);
  const auto split = x.view({x.size(0), length, heads, width});
  const auto turned =
      at::cat({-split.narrow(3, width / 2, width / 2), split.narrow(3, 0, width / 2)}, 3);
  return (split * both.cos() + turned * both.sin()).reshape_as(x);
}

TEST(Rope, IsRotateHalfAndItsGradientAutogradsForAnyThetaAndFirstPosition) {
  for (const double theta : {10000.0, 500000.0})
    for (const std::int64_t first : {0, 131})
      for (const std::int64_t head_width : {2, 6, 64}) {
        const std::int64_t heads = 3, length = 9;
        const auto x = leaf(numbers({2, length, heads * head_width}, 1));
        const auto dy = numbers(x.sizes(), 2);
        const auto expected = rotate_half_oracle(x, heads, first, theta);
        expected.backward(dy);

        const auto table = rope_table(first, length + 4, head_width, theta, at::kDouble);
        auto y = x.detach().clone(), dx = dy.clone();
        rope(y, table);
        rope_backward(dx, table);
        auto wider = at::cat({x.detach(), dy}, 2), columns = wider.narrow(2, 0, x.size(2));
        rope(columns, table);
        EXPECT_TRUE(test::same_bits(wider, at::cat({y, dy}, 2)));
        EXPECT_LE(relative_error(y, expected), kExact);
        EXPECT_LE(relative_error(dx, x.grad()), kExact);
      }
}

TEST(Rope, TableOfAnyPositionsHasTheRowsOfTheTableOfAll) {
  const std::int64_t positions[] = {3, 4, 10, 11};
  const auto all = rope_table(0, 12, 6, 1e4, at::kDouble);
  const auto found = rope_table(positions, 6, 1e4, at::kDouble);
  EXPECT_TRUE(test::same_bits(found, all.index_select(0, at::tensor({3, 4, 10, 11}, at::kLong))));
}

TEST(Swiglu, IsTheFormulaAndItsGradientAutograds) {
  const auto gate = leaf(numbers({5, 37}, 1) * 8), up = leaf(numbers({5, 37}, 2));
  const auto dy = numbers({5, 37}, 3);
  const auto expected = gate * at::sigmoid(gate) * up;
  expected.backward(dy);

  auto gate_up = at::cat({gate.detach(), up.detach()}, 1), becomes_y = dy.clone();
  const auto y = swiglu(gate_up);
  EXPECT_LE(relative_error(y, expected), kExact);
  swiglu_backward(becomes_y, gate_up);
  EXPECT_LE(relative_error(gate_up, at::cat({gate.grad(), up.grad()}, 1)), kExact);
  EXPECT_TRUE(test::same_bits(becomes_y, y));
}

TEST(Swiglu, StaysFiniteAndWithinRoundingInFp32FarFromZero) {
  const auto gate = at::linspace(-120, 120, 4001, at::kFloat).view({4001, 1});
  const auto exact = gate.to(at::kDouble), expected = exact * at::sigmoid(exact);
  const auto error =
      (swiglu(at::cat({gate, at::ones_like(gate)}, 1)).to(at::kDouble) - expected).abs();
  EXPECT_LE((error / expected.abs()).masked_select((gate > -80) & (gate != 0)).max().item<double>(),
            5e-7);
  EXPECT_LE(error.max().item<double>(), 1e-5);
}

TEST(Swiglu, KeepsNotANumber) {
  EXPECT_TRUE(swiglu(at::full({66}, std::nan(""), at::kFloat)).isnan().all().item<bool>());
}

TEST(Linear, IsTheProductAndItsGradientsAutogradsAndAccumulate) {
  const auto x = leaf(numbers({2, 5, 7}, 1)), weight = leaf(numbers({11, 7}, 2));
  const auto residual = numbers({2, 5, 11}, 3), dy = numbers({2, 5, 11}, 4);
  const auto expected = at::matmul(x, weight.t());
  expected.backward(dy);

  const auto w = weight.detach();
  EXPECT_LE(relative_error(kernels::linear(x.detach(), w), expected), kExact);
  EXPECT_LE(relative_error(linear_plus(x.detach(), w, residual), expected + residual), kExact);
  EXPECT_LE(relative_error(linear_backward_input(dy, w), x.grad()), kExact);
  auto dweight = numbers(w.sizes(), 5);
  const auto before = dweight.clone();
  add_linear_backward_weight(dy, x.detach(), dweight);
  EXPECT_LE(relative_error(dweight, before + weight.grad()), kExact);
}

TEST(Embedding, TakesRowsAndAddsTheGradientsOfRepeatedTokens) {
  const auto table = leaf(numbers({13, 5}, 1)), dy = numbers({2, 4, 5}, 2);
  const auto tokens = at::tensor({3, 0, 3, 12, 3, 3, 7, 0}, at::kLong).view({2, 4});
  const auto expected = table.index_select(0, tokens.view(-1)).view({2, 4, 5});
  expected.backward(dy);

  EXPECT_TRUE(
      test::same_bits(kernels::embedding(tokens, table.detach(), {0, 13}), expected.detach()));
  auto gradient = at::ones({13, 5}, at::kDouble);
  add_embedding_backward(dy, tokens, gradient, {0, 13});
  EXPECT_LE(relative_error(gradient, table.grad() + 1), kExact);
}

TEST(Embedding, InPartsOfTheVocabularyAddsUpToTheWhole) {
  const auto table = numbers({13, 5}, 1), dy = numbers({8, 5}, 2);
  const auto tokens = at::tensor({3, 0, 3, 12, 3, 4, 7, 0}, at::kLong);
  auto sum = at::zeros({8, 5}, at::kDouble);
  auto gradient = at::zeros({13, 5}, at::kDouble), expected = at::zeros({13, 5}, at::kDouble);
  add_embedding_backward(dy, tokens, expected, {0, 13});
  for (const auto& [first, end] : {std::pair{0, 4}, {4, 13}}) {
    sum += kernels::embedding(tokens, table.narrow(0, first, end - first), {first, 13});
    add_embedding_backward(dy, tokens, gradient.narrow(0, first, end - first), {first, 13});
  }
  EXPECT_TRUE(test::same_bits(sum, kernels::embedding(tokens, table, {0, 13})));
  EXPECT_TRUE(test::same_bits(gradient, expected));
}

}  // namespace
}  // namespace phalanx::kernels

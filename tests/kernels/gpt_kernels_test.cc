#include <gtest/gtest.h>

#include "kernels/bias.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::leaf;
using test::numbers;
using test::relative_error;

constexpr double kExact = 1e-12;

TEST(LayerNorm, IsATensOperationAndItsGradientAutogradsAtAnyWidth) {
  for (const std::int64_t width : {2, 7, 24, 257}) {
    const auto x = leaf(numbers({2, 3, width}, 1) + 3), weight = leaf(numbers({width}, 2)),
               bias = leaf(numbers({width}, 5));
    const auto dy = numbers({2, 3, width}, 3), residual = numbers({2, 3, width}, 4);
    const auto expected = at::layer_norm(x, {width}, weight, bias, 1e-5);
    expected.backward(dy);

    const auto found = kernels::layer_norm(x.detach(), weight.detach(), bias.detach(), 1e-5);
    EXPECT_LE(relative_error(found.y, expected), kExact) << width;
    const auto backward = [&](at::Tensor& dy_and_y, const at::Tensor& around) {
      return layer_norm_backward(dy_and_y, x.detach(), weight.detach(), bias.detach(), found.mean,
                                 found.inverse_deviation, around);
    };
    auto first = dy.clone(), second = dy.clone();
    const auto gradient = backward(first, residual);
    EXPECT_TRUE(test::same_bits(first, found.y)) << width;
    EXPECT_LE(relative_error(gradient.dx, x.grad() + residual), 1e-10) << width;
    EXPECT_LE(relative_error(gradient.dweight, weight.grad()), 1e-10) << width;
    EXPECT_LE(relative_error(gradient.dbias, bias.grad()), kExact) << width;
    EXPECT_LE(relative_error(backward(second, {}).dx, x.grad()), 1e-9) << width;
  }
}

TEST(LayerNorm, DoesNotCancelWhereTheMeanIsFarFromZero) {
  const auto x = numbers({4, 256}, 1, at::kFloat) + 4096;
  const auto exact = at::layer_norm(x.to(at::kDouble), {256});
  const auto found = kernels::layer_norm(x, at::ones({256}), at::zeros({256}), 1e-5);
  EXPECT_LE(relative_error(found.y, exact), 1e-3);
}

TEST(Gelu, IsATensTanhFormAndItsGradientAutograds) {
  const auto x = leaf(numbers({5, 37}, 1) * 6), dy = numbers({5, 37}, 2);
  const auto expected = at::gelu(x, "tanh");
  expected.backward(dy);

  auto dx = x.detach().clone(), y = dy.clone();
  const auto found = kernels::gelu(dx);
  EXPECT_LE(relative_error(found, expected), kExact);
  gelu_backward(y, dx);
  EXPECT_TRUE(test::same_bits(y, found));
  EXPECT_LE(relative_error(dx, x.grad()), kExact);
}

TEST(Gelu, StaysFiniteAndWithinRoundingInFp32FarFromZero) {
  const auto x = at::linspace(-60, 60, 4001, at::kFloat);
  const auto error =
      (kernels::gelu(x).to(at::kDouble) - at::gelu(x.to(at::kDouble), "tanh")).abs() /
      x.abs().clamp(1);
  EXPECT_LE(error.max().item<double>(), 3e-7);
}

TEST(Bias, IsAddedToEveryRowAndGathersTheRowsGradients) {
  auto y = numbers({2, 5, 7}, 1);
  const auto before = y.clone(), bias = numbers({7}, 2);
  add_bias(y, bias);
  EXPECT_LE(relative_error(y, before + bias), kExact);
  const auto dbias = at::ones({7}, at::kDouble);
  add_bias_backward(before, dbias);
  EXPECT_LE(relative_error(dbias, before.sum(at::IntArrayRef{0, 1}) + 1), kExact);
}

TEST(GptKernels, InBf16AreWithinRoundingOfFp64) {
  const auto x = numbers({6, 64}, 1, at::kBFloat16), dy = numbers({6, 64}, 2, at::kBFloat16);
  const auto weight = numbers({64}, 3, at::kFloat), bias = numbers({64}, 4, at::kFloat);
  const auto exact = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
  const auto norm = kernels::layer_norm(x, weight, bias, 1e-5);
  const auto expected = kernels::layer_norm(exact(x), exact(weight), exact(bias), 1e-5);
  EXPECT_LE(relative_error(norm.y, expected.y), 4e-3);
  auto y = dy.clone(), expected_y = exact(dy);
  const auto gradient =
      layer_norm_backward(y, x, weight, bias, norm.mean, norm.inverse_deviation, dy);
  EXPECT_TRUE(test::same_bits(y, norm.y));
  const auto expected_gradient =
      layer_norm_backward(expected_y, exact(x), exact(weight), exact(bias), expected.mean,
                          expected.inverse_deviation, exact(dy));
  EXPECT_LE(relative_error(gradient.dx, expected_gradient.dx), 4e-3);
  EXPECT_LE(relative_error(gradient.dweight, expected_gradient.dweight), 1e-5);
  EXPECT_LE(relative_error(kernels::gelu(x), kernels::gelu(exact(x))), 4e-3);
  auto dx = x.clone(), expected_dx = exact(x);
  y = dy.clone(), expected_y = exact(dy);
  gelu_backward(y, dx);
  gelu_backward(expected_y, expected_dx);
  EXPECT_LE(relative_error(dx, expected_dx), 4e-3);
}

}  // namespace
}  // namespace phalanx::kernels

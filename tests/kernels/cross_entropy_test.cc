#include "kernels/cross_entropy.h"

#include <gtest/gtest.h>

#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::leaf;
using test::numbers;
using test::relative_error;

TEST(CrossEntropy, IsTheSumOfTheTokensLossesAndLeavesItsGradient) {
  const auto logits = leaf(numbers({6, 257}, 1) * 10);
  const auto targets = at::tensor({0, 256, 3, 3, 100, 8}, at::kLong);
  const auto expected = -logits.log_softmax(-1).gather(1, targets.unsqueeze(1)).sum();
  expected.backward();

  auto gradient = logits.detach().clone();
  EXPECT_NEAR(cross_entropy(gradient, targets).item<double>(), expected.item<double>(), 1e-11);
  EXPECT_LE(relative_error(gradient, logits.grad()), 1e-12);
}

TEST(CrossEntropy, OfEqualLogitsIsTheLogarithmOfTheVocabulary) {
  auto logits = at::full({4, 101}, 1e4, at::kFloat);
  EXPECT_NEAR(cross_entropy(logits, at::zeros({4}, at::kLong)).item<double>(), 4 * std::log(101.0),
              1e-6);
}

TEST(CrossEntropy, InFp32IsWithinRoundingOfFp64) {
  auto exact = numbers({64, 1001}, 1) * 20, rounded = exact.to(at::kFloat);
  const auto targets = at::arange(64, at::kLong);
  const double expected = cross_entropy(exact, targets).item<double>();
  EXPECT_NEAR(cross_entropy(rounded, targets).item<double>() / expected, 1, 1e-6);
  EXPECT_LE(relative_error(rounded, exact), 2e-6);
}

TEST(CrossEntropy, OfNotANumberIsNotANumber) {
  auto logits = numbers({2, 7}, 1, at::kFloat);
  logits[1][3] = std::nan("");
  EXPECT_TRUE(std::isnan(cross_entropy(logits, at::zeros({2}, at::kLong)).item<double>()));
}

}  // namespace
}  // namespace phalanx::kernels

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/adamw.h"
#include "kernels/squared_norm.h"
#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::numbers;
using test::relative_error;

constexpr AdamWStep kStep{.lr = 3e-2,
                          .beta1 = 0.9,
                          .beta2 = 0.95,
                          .epsilon = 1e-8,
                          .weight_decay = 0.1,
                          .gradient_scale = 0.25};

struct State {
  explicit State(at::ScalarType type)
      : parameters(numbers({1003}, 1, type)),
        first(at::zeros_like(parameters)),
        second(at::zeros_like(parameters)) {}
  at::Tensor parameters, first, second;
};

// The update as torch.optim.AdamW documents it, in fp64.
void oracle_step(State& s, const at::Tensor& raw, const AdamWStep& step) {
  const auto gradient = raw * step.gradient_scale;
  s.parameters.mul_(1 - step.lr * step.weight_decay);
  s.first.mul_(step.beta1).add_(gradient, 1 - step.beta1);
  s.second.mul_(step.beta2).addcmul_(gradient, gradient, 1 - step.beta2);
  const auto t = static_cast<double>(step.step);
  const auto first = s.first / (1 - std::pow(step.beta1, t));
  const auto second = s.second / (1 - std::pow(step.beta2, t));
  s.parameters.sub_(step.lr * first / (second.sqrt() + step.epsilon));
}

void kernel_step(State& s, const at::Tensor& gradient, const AdamWStep& step) {
  adamw(s.parameters, gradient, s.first, s.second, step);
}

TEST(AdamW, FollowsTheDocumentedFormulaForTenSteps) {
  State expected(at::kDouble), found(at::kDouble), rounded(at::kFloat);
  for (int i = 1; i <= 10; ++i) {
    AdamWStep step = kStep;
    step.step = i;
    const auto gradient = numbers({1003}, 10 + static_cast<std::uint64_t>(i));
    oracle_step(expected, gradient, step);
    kernel_step(found, gradient, step);
    kernel_step(rounded, gradient.to(at::kFloat), step);
    EXPECT_LE(relative_error(found.parameters, expected.parameters), 1e-14) << "step " << i;
    EXPECT_LE(relative_error(found.second, expected.second), 1e-14) << "step " << i;
    EXPECT_LE(relative_error(rounded.parameters, expected.parameters), 1e-6) << "step " << i;
  }
}

TEST(AdamW, GivesTheSameBitsHoweverTheTensorsAreCut) {
  State whole(at::kFloat), parts(at::kFloat);
  AdamWStep step = kStep;
  step.step = 3;
  const auto gradient = numbers({1003}, 5, at::kFloat);
  kernel_step(whole, gradient, step);
  std::int64_t from = 0;
  for (const std::int64_t length : {1, 64, 7, 500, 431}) {
    const auto cut = [&](const at::Tensor& all) { return all.narrow(0, from, length); };
    adamw(cut(parts.parameters), cut(gradient), cut(parts.first), cut(parts.second), step);
    from += length;
  }
  EXPECT_TRUE(test::same_bits(parts.parameters, whole.parameters));
  EXPECT_TRUE(test::same_bits(parts.second, whole.second));
}

TEST(AdamW, RoundsTheNewParametersToBf16InTheSamePass) {
  State state(at::kFloat);
  AdamWStep step = kStep;
  step.step = 1;
  const auto copy = at::zeros({1003}, at::kBFloat16);
  adamw(state.parameters, numbers({1003}, 5, at::kFloat), state.first, state.second, step, copy);
  EXPECT_TRUE(test::same_bits(copy, state.parameters.to(at::kBFloat16)));
}

TEST(SquaredNorm, IsTheSumOfSquaresInFp64) {
  for (const std::int64_t count : {0, 1, 31, 32, 1003}) {
    const auto values = numbers({count}, 1, at::kFloat);
    const auto* value = values.const_data_ptr<float>();
    const double expected = std::accumulate(value, value + count, 0.0,
                                            [](double sum, double v) { return sum + v * v; });
    EXPECT_NEAR(squared_norm(values).item<double>(), expected, 1e-12 * (expected + 1));
  }
}

// 2^24 + 1 does not fit fp32: a sum that passed through it would lose the ones.
TEST(SquaredNorm, DoesNotLoseSmallValuesBesideLargeOnes) {
  auto values = at::ones({1000}, at::kFloat);
  values[0] = 65536.0f;
  EXPECT_EQ(squared_norm(values).item<double>(), 4294967296.0 + 999);
}

}  // namespace
}  // namespace phalanx::kernels

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/expert_rows.h"
#include "kernels/grouped_linear.h"
#include "kernels/load_balance.h"
#include "kernels/router.h"
#include "kernels/sigmoid_gate.h"
#include "tests/kernels/tensors.h"

namespace phalanx::kernels {
namespace {

using test::leaf;
using test::numbers;
using test::relative_error;
using testing::ElementsAre;

constexpr double kExact = 1e-12;

// Choices of `tokens` tokens among `count` experts, all different for a token.
at::Tensor choices(std::int64_t tokens, std::int64_t chosen, std::int64_t count,
                   std::uint64_t seed) {
  return std::get<1>(numbers({tokens, count}, seed).topk(chosen)).contiguous();
}

// A sum of the weights and another of the probabilities, so that both gradients show.
TEST(Router, IsTopKOfTheSoftmaxAndItsGradientAutograds) {
  for (const auto kind : {ExpertWeights::kSoftmaxOfAll, ExpertWeights::kSoftmaxOfChosen}) {
    const auto logits = leaf(numbers({9, 7}, 1) * 3), bias = numbers({7}, 2) * 0.1;
    const auto dweights = numbers({9, 3}, 3), dprobabilities = numbers({9, 7}, 4);
    const auto probabilities = logits.softmax(-1);
    const auto experts = std::get<1>((probabilities.detach() + bias).topk(3));
    auto weights = probabilities.gather(1, experts);
    if (kind == ExpertWeights::kSoftmaxOfChosen) weights = weights / weights.sum(1, true);
    ((weights * dweights).sum() + (probabilities * dprobabilities).sum()).backward();

    const auto found = route(logits.detach(), bias, 3, kind);
    EXPECT_TRUE(at::equal(found.experts, experts));
    EXPECT_LE(relative_error(found.probabilities, probabilities), kExact);
    EXPECT_LE(relative_error(found.weights, weights), kExact);
    EXPECT_LE(relative_error(route_backward(dweights, dprobabilities, found, kind), logits.grad()),
              kExact);
    const auto alone = route_backward(dweights, at::zeros_like(dprobabilities), found, kind);
    EXPECT_LE(relative_error(route_backward(dweights, {}, found, kind), alone), kExact);
  }
}

TEST(Router, GivesOfEqualExpertsTheLowerNumberAndABiasOnlyTheChoice) {
  const auto logits = at::zeros({2, 5}, at::kFloat), none = at::zeros({5}, at::kFloat);
  const auto equal = route(logits, none, 2, ExpertWeights::kSoftmaxOfAll);
  EXPECT_TRUE(at::equal(equal.experts, at::arange(2).expand({2, 2})));
  auto bias = none.clone();
  bias[4] = 1e-3;
  const auto biased = route(logits, bias, 2, ExpertWeights::kSoftmaxOfAll);
  EXPECT_EQ(biased.experts[0][0].item<std::int64_t>(), 4);
  EXPECT_EQ(biased.experts[0][1].item<std::int64_t>(), 0);
  EXPECT_TRUE(at::equal(biased.weights, equal.weights));
}

TEST(Router, ChoosesDifferentExpertsEvenOfLogitsThatAreNoNumbers) {
  const auto logits = at::full({1, 4}, std::nan(""), at::kFloat);
  const auto found = route(logits, at::zeros({4}, at::kFloat), 4, ExpertWeights::kSoftmaxOfAll);
  EXPECT_TRUE(at::equal(std::get<0>(found.experts[0].sort()), at::arange(4)));
}

TEST(ExpertRows, LieByExpertAndAmongThoseOfAnExpertByToken) {
  const auto experts = at::tensor({2, 0, 1, 2, 2, 1}, at::kLong).view({3, 2});
  const auto order = order_by_expert(experts, 4);
  EXPECT_TRUE(at::equal(order.rows_of_expert, at::tensor({1, 2, 3, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(order.choice_of_row, at::tensor({1, 2, 5, 0, 3, 4}, at::kLong)));
  const auto rows = numbers({6, 3}, 1);
  EXPECT_TRUE(at::equal(choices_of_rows(rows, order).index_select(0, order.choice_of_row), rows));
}

TEST(ExpertRows, AreTheTokensAndTheirSumIsWeightedAsAutogradSees) {
  const std::int64_t tokens = 8, chosen = 3, count = 5, width = 11;
  const auto experts = choices(tokens, chosen, count, 1);
  const auto order = order_by_expert(experts, count);
  const auto x = leaf(numbers({tokens, width}, 2)), y = numbers({tokens, width}, 3);
  const auto weights = leaf(numbers({tokens, chosen}, 4)), factor = numbers({24, width}, 5);
  const auto dy = numbers({tokens, width}, 6);
  const auto of_tokens = at::arange(tokens).repeat_interleave(chosen);
  // By choice: each expert's rows are its tokens times something of its own.
  const auto rows = leaf(x.detach().index_select(0, of_tokens) * factor);
  const auto expected = y + (rows.view({tokens, chosen, width}) * weights.unsqueeze(2)).sum(1);
  expected.backward(dy);

  const auto sorted = rows.detach().index_select(0, order.choice_of_row);
  EXPECT_TRUE(at::equal(rows_of_tokens(x.detach(), order),
                        x.detach().index_select(0, order.choice_of_row.floor_divide(chosen))));
  auto found = y.clone();
  add_rows(sorted, order, weights.detach(), found);
  EXPECT_LE(relative_error(found, expected), kExact);
  const auto gradients = add_rows_backward(dy, sorted, order, weights.detach());
  EXPECT_LE(relative_error(gradients.dweights, weights.grad()), kExact);
  EXPECT_LE(relative_error(choices_of_rows(gradients.drows, order), rows.grad()), kExact);
  found = y.clone();
  add_rows(sorted, order, {}, found);
  EXPECT_LE(relative_error(found, y + rows.detach().view({tokens, chosen, width}).sum(1)), kExact);
}

TEST(ExpertRows, InBf16AreSummedWideAndRoundedOnce) {
  const auto order = order_by_expert(choices(6, 4, 4, 1), 4);
  const auto rows = numbers({24, 9}, 2, at::kBFloat16);
  const auto weights = numbers({6, 4}, 3, at::kFloat);
  auto y = numbers({6, 9}, 4, at::kBFloat16), wide = y.to(at::kFloat);
  add_rows(rows.to(at::kFloat), order, weights, wide);
  add_rows(rows, order, weights, y);
  EXPECT_TRUE(at::equal(y, wide.to(at::kBFloat16)));
}

TEST(GroupedLinear, IsALinearForEachExpertsRowsEvenForNone) {
  const std::vector<std::int64_t> rows{3, 0, 5, 1};
  const auto x = leaf(numbers({9, 6}, 1)), dy = numbers({9, 4}, 2);
  std::vector<at::Tensor> weights, plain, gradients, expected;
  std::int64_t first = 0;
  for (std::size_t e = 0; e < rows.size(); first += rows[e++]) {
    weights.push_back(leaf(numbers({4, 6}, 10 + e)));
    plain.push_back(weights.back().detach());
    gradients.push_back(numbers({4, 6}, 20 + e));
    expected.push_back(at::matmul(x.narrow(0, first, rows[e]), weights.back().t()));
  }
  const auto before = gradients[1].clone(), added = gradients[2].clone();
  const auto y = at::cat(expected);
  y.backward(dy);
  EXPECT_LE(relative_error(grouped_linear(x.detach(), rows, plain), y), kExact);
  EXPECT_LE(relative_error(grouped_linear_backward_input(dy, rows, plain), x.grad()), kExact);
  add_grouped_linear_backward_weight(dy, x.detach(), rows, gradients);
  EXPECT_TRUE(at::equal(gradients[1], before));
  EXPECT_LE(relative_error(gradients[2], added + weights[2].grad()), kExact);
}

TEST(SigmoidGate, IsTheFormulaAndItsGradientAutograds) {
  const auto x = leaf(numbers({5, 13}, 1)), logits = leaf(numbers({5, 1}, 2) * 4);
  const auto y = numbers({5, 13}, 3), dy = numbers({5, 13}, 4);
  const auto expected = y + logits.sigmoid() * x;
  expected.backward(dy);
  auto found = y.clone(), dx = x.detach().clone(), dlogits = logits.detach().clone();
  add_gated(dx, dlogits, found);
  EXPECT_LE(relative_error(found, expected), kExact);
  add_gated_backward(dy, dx, dlogits);
  EXPECT_LE(relative_error(dx, x.grad()), kExact);
  EXPECT_LE(relative_error(dlogits, logits.grad()), kExact);
}

// Five tokens from number 3 on, in sequences of 4: one of the first, four of the second.
TEST(ExpertLoad, IsCountedBySequence) {
  const SequenceRun run{3, 4, 2};
  const auto experts = at::tensor({0, 2, 2, 0, 1}, at::kLong).view({5, 1});
  const auto probabilities = leaf(numbers({5, 3}, 1));
  const auto load = expert_load(experts, probabilities, run);
  EXPECT_TRUE(at::equal(load, at::tensor({1., 0., 0., 1., 1., 2.}, at::kDouble).view({2, 3})));
  const auto weights = numbers({2, 3}, 2);
  const auto of_tokens = at::cat({weights.narrow(0, 0, 1), weights.narrow(0, 1, 1).expand({4, 3})});
  const auto expected = (probabilities * of_tokens).sum();
  expected.backward();
  EXPECT_NEAR(balance_loss(probabilities.detach(), weights, run).item<double>(),
              expected.item<double>(), kExact);
  EXPECT_TRUE(at::equal(load_of_tokens(weights, 5, run), probabilities.grad()));
}

}  // namespace
}  // namespace phalanx::kernels

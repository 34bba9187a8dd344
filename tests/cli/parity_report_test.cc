#include "launcher/cli/parity_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace phalanx::launcher {
namespace {

using testing::HasSubstr;

protocol::ParityResult equal() {
  protocol::ParityResult result;
  for (const auto* name : {"embedding.weight", "layers.0.ffn.up.weight", "head.weight"}) {
    auto& tensor = *result.add_gradients();
    tensor.set_name(name);
    tensor.set_difference(3e-16);
  }
  for (int i = 0; i < 3; ++i) {
    auto& step = *result.add_steps();
    step.set_loss(2.5);
    step.set_loss_against(2.5);
    step.set_grad_norm(1.25);
    step.set_grad_norm_against(1.25);
  }
  return result;
}

TEST(ParityReport, FindsNothingWhereOnlyRoundingDiffers) {
  EXPECT_EQ(first_difference(equal(), parity_tolerance("fp64")), "");
  EXPECT_TRUE(parity_json(equal(), parity_tolerance("fp64"))["equal"].get<bool>());
  EXPECT_THAT(parity_text(equal(), parity_tolerance("fp64")), HasSubstr("3e-16 of 1e-10 allowed"));
}

TEST(ParityReport, NamesTheFirstTensorAndByHowMuch) {
  auto result = equal();
  result.mutable_gradients(1)->set_difference(0.5);
  result.mutable_gradients(2)->set_difference(0.7);
  result.mutable_steps(0)->set_loss(3);
  const auto first = first_difference(result, parity_tolerance("fp64"));
  EXPECT_THAT(first, HasSubstr("layers.0.ffn.up.weight"));
  EXPECT_THAT(first, HasSubstr("0.5"));
  EXPECT_FALSE(parity_json(result, parity_tolerance("fp64"))["equal"].get<bool>());
}

TEST(ParityReport, NamesTheStepWhoseLossOrNormDiffers) {
  auto result = equal();
  result.mutable_steps(1)->set_grad_norm(1.2501);
  EXPECT_THAT(first_difference(result, parity_tolerance("fp64")),
              HasSubstr("the gradient norm of step 2"));
  result.mutable_steps(1)->set_loss(2.5 + 1e-6);
  EXPECT_THAT(first_difference(result, parity_tolerance("fp64")), HasSubstr("the loss of step 2"));
  EXPECT_THAT(first_difference(result, parity_tolerance("bf16")), "");
}

TEST(ParityReport, TakesWhatIsNotANumberForADifference) {
  auto result = equal();
  result.mutable_gradients(0)->set_difference(NAN);
  EXPECT_THAT(first_difference(result, parity_tolerance("bf16")), HasSubstr("embedding.weight"));
  result = equal();
  result.mutable_steps(2)->set_loss(NAN);
  EXPECT_THAT(first_difference(result, parity_tolerance("bf16")), HasSubstr("step 3"));
}

}  // namespace
}  // namespace phalanx::launcher

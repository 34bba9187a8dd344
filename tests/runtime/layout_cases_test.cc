#include "tests/runtime/layout_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace phalanx::runtime {
namespace {

TEST(LayoutCases, LetEveryTwoFeaturesMeetThatCan) {
  const auto cases = layout_cases(8, 1);
  for (const auto& pair : all_pairs()) {
    if (!can_meet(pair, 8)) continue;
    EXPECT_TRUE(std::ranges::any_of(cases, [&](const auto& one) { return pair.in(one); }))
        << pair.name() << " meet in none of " << cases.size() << " cases";
  }
}

TEST(LayoutCases, AreAllPossible) {
  for (const auto& one : layout_cases(8, 1)) EXPECT_TRUE(is_possible(one, 8)) << one;
}

// By name, so that no pair is lost without being seen.
TEST(LayoutCases, LeaveOutOnlyPairsThatNoLayoutAllows) {
  std::vector<std::string> apart;
  for (const auto& pair : all_pairs())
    if (!can_meet(pair, 16)) apart.push_back(pair.name());
  EXPECT_THAT(apart, testing::ElementsAre());
}

}  // namespace
}  // namespace phalanx::runtime

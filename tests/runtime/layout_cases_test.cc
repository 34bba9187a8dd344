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

std::vector<std::string> apart_on(int ranks) {
  std::vector<std::string> apart;
  for (const auto& pair : all_pairs())
    if (!can_meet(pair, ranks)) apart.push_back(pair.name());
  return apart;
}

// By name, so that no pair is lost without being seen. The heads of this model are four; one of
// three context ranks, or of two where four tensor ranks have one head each, would have none.
const std::vector<std::string> kNever{"tensor 4, exchange ulysses",
                                      "context 3, exchange ulysses",
                                      "pipeline 1, schedule gpipe",
                                      "pipeline 1, schedule 1f1b",
                                      "pipeline 1, schedule eager_1f1b",
                                      "pipeline 1, schedule interleaved_1f1b",
                                      "pipeline 1, schedule zb_h1",
                                      "pipeline 1, schedule zb_h2",
                                      "pipeline 1, schedule zb_v",
                                      "pipeline 1, schedule dualpipe_v",
                                      "pipeline 1, recompute mixed",
                                      "schedule none, recompute mixed",
                                      "pipeline 2, schedule none",
                                      "pipeline 3, schedule none",
                                      "context 1, exchange ring",
                                      "context 1, exchange ulysses",
                                      "context 2, exchange none",
                                      "context 3, exchange none",
                                      "preset gpt2, kv_heads 2",
                                      "preset gpt2, kv_heads 1",
                                      "preset llama, expert 2",
                                      "preset llama, expert 3",
                                      "preset gpt2, expert 2",
                                      "preset gpt2, expert 3",
                                      "preset llama, chunk 5",
                                      "preset gpt2, chunk 5",
                                      "preset llama, balance loss",
                                      "preset llama, balance bias",
                                      "preset gpt2, balance loss",
                                      "preset gpt2, balance bias",
                                      "expert 1, chunk 5"};
// As many ranks as 8 are not.
const std::vector<std::string> kTooMany{
    "data 3, tensor 4",    "data 3, pipeline 3",    "data 3, context 3",  "tensor 4, pipeline 3",
    "tensor 4, context 3", "pipeline 3, context 3", "tensor 4, expert 3", "pipeline 3, expert 3"};

TEST(LayoutCases, LeaveOutOnlyPairsThatNoLayoutAllows) {
  EXPECT_THAT(apart_on(16), testing::UnorderedElementsAreArray(kNever));
  auto of_eight = kNever;
  of_eight.insert(of_eight.end(), kTooMany.begin(), kTooMany.end());
  EXPECT_THAT(apart_on(8), testing::UnorderedElementsAreArray(of_eight));
}

}  // namespace
}  // namespace phalanx::runtime

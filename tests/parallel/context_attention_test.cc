#include "tests/parallel/context_ranks.h"

namespace phalanx::parallel {
namespace {

using namespace test_context;

class ContextAttentionOf : public testing::TestWithParam<Case> {};

TEST_P(ContextAttentionOf, InARingIsThatOfOneRankWithItsGradients) {
  const Case c = GetParam();
  const auto in = inputs_of(c);
  expect_within(on_all_ranks(in, c, run_ring), of_one_rank(inputs_of(c), c), 1e-12);
}

TEST_P(ContextAttentionOf, WithHeadsForSequenceIsThatOfOneRankWithItsGradients) {
  Case c = GetParam();
  // As many heads as it takes; where there were fewer key heads than ranks, there still are.
  c.heads = {c.heads.query * c.ranks, c.heads.key_value == 1 ? 1 : c.heads.key_value * c.ranks};
  const auto in = inputs_of(c);
  expect_within(on_all_ranks(in, c, run_ulysses), of_one_rank(inputs_of(c), c), 1e-12);
}

TEST_P(ContextAttentionOf, InBf16IsWithinItsRoundingAndRepeatsBitForBit) {
  const Case c = GetParam();
  const auto in = inputs_of(c, at::kBFloat16);
  const auto expected = of_one_rank(inputs_of(c), c);
  const auto found = on_all_ranks(in, c, run_ring), again = on_all_ranks(in, c, run_ring);
  expect_within(found, expected, 2e-2);
  EXPECT_TRUE(test::same_bits(found.out, again.out));
  EXPECT_TRUE(test::same_bits(found.dq, again.dq));
  EXPECT_TRUE(test::same_bits(found.dk, again.dk));
}

// 2, 3, 4 and 8 ranks; groups of 1, 2 and 4 query heads; pieces within and beyond a tile of 128
// keys; documents that begin within, at and next to the edges of pieces, shorter and longer than
// these (in each sequence one position later than in the one before).
INSTANTIATE_TEST_SUITE_P(Ranks, ContextAttentionOf,
                         testing::Values(Case{2, 2, 24, {2, 2}, 6}, Case{3, 1, 30, {2, 1}, 8},
                                         Case{4, 2, 80, {4, 1}, 10}, Case{8, 1, 64, {4, 2}, 4},
                                         Case{2, 1, 560, {2, 1}, 16},
                                         Case{2, 2, 24, {2, 1}, 6, {5, 6, 11, 17}},
                                         Case{3, 2, 36, {4, 2}, 8, {1, 6, 18, 20, 29}},
                                         Case{4, 1, 96, {2, 2}, 8, {37}},
                                         Case{8, 2, 64, {2, 1}, 6, {3, 4, 30, 31, 32, 59}},
                                         Case{2, 1, 640, {2, 1}, 16, {159, 321}}));

// Four ranks of two key heads: each head is on two of them.
TEST(ContextAttention, SumsTheGradientsOfKeyHeadsThatSeveralRanksHave) {
  const Case c{4, 2, 48, {8, 2}, 6, {11}};
  const auto in = inputs_of(c);
  expect_within(on_all_ranks(in, c, run_ulysses), of_one_rank(inputs_of(c), c), 1e-12);
}

TEST(ContextAttention, OfPiecesOfManyTilesKeepsFp32) {
  const Case c{4, 1, 4096, {2, 1}, 32, {1000, 2600}};
  const auto in = inputs_of(c, at::kFloat);
  expect_within(on_all_ranks(in, c, run_ring), of_one_rank(inputs_of(c), c), 1e-5);
}

}  // namespace
}  // namespace phalanx::parallel

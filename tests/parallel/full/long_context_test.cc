#include "tests/parallel/context_ranks.h"

namespace phalanx::parallel {
namespace {

using namespace test_context;

// Documents end within, at and far beyond the pieces of 4,096 positions.
TEST(LongContext, Of32768TokensOverFourRanksIsThatOfOneRank) {
  const Case c{4, 1, 32768, {2, 1}, 16, {3000, 8192, 12289}};
  const auto in = inputs_of(c, at::kFloat);
  const auto expected = of_one_rank(inputs_of(c, at::kFloat), c);
  expect_within(on_all_ranks(in, c, run_ring), expected, 2e-5);
  const Case shared{4, 1, 32768, {4, 1}, 16};
  const auto whole = inputs_of(shared, at::kFloat);
  const auto of_one = of_one_rank(inputs_of(shared, at::kFloat), shared);
  expect_within(on_all_ranks(whole, shared, run_ring), of_one, 2e-5);
  expect_within(on_all_ranks(whole, shared, run_ulysses), of_one, 2e-5);
}

}  // namespace
}  // namespace phalanx::parallel

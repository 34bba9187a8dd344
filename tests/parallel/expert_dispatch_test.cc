#include "parallel/expert_dispatch.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/tensors.h"
#include "tests/parallel/ranks.h"

namespace phalanx::parallel {
namespace {

using phalanx::test::numbers;
using test::on_ranks;

constexpr std::int64_t kExperts = 8, kChosen = 2, kWidth = 5;

at::Tensor choices(std::int64_t tokens, std::uint64_t seed) {
  return std::get<1>(numbers({tokens, kExperts}, seed).topk(kChosen)).contiguous();
}

// Sends each token's number and choice to experts that add 1000 * their own number: what comes back
// tells where it has been.
void expect_every_row_at_its_expert_and_back(const ExpertDispatch& dispatch,
                                             const at::Tensor& chosen) {
  const std::int64_t tokens = chosen.size(0);
  const auto chunks = dispatch.plan(chosen, dispatch.exchange(chosen));
  const auto x = (at::arange(tokens, at::kDouble) * 0.5).unsqueeze(1).expand({tokens, kWidth});
  auto sum = at::zeros({tokens, kWidth}, at::kDouble);
  dispatch.round_trip(
      chunks,
      {[&](std::size_t c) {
         return kernels::rows_of_tokens(x.narrow(0, chunks[c].first, chunks[c].tokens).contiguous(),
                                        chunks[c].leaving);
       },
       [&](std::size_t c, const at::Tensor& rows) {
         auto results = rows.clone();
         std::int64_t row = 0;
         for (std::size_t e = 0; e < chunks[c].rows.size(); ++e)
           for (std::int64_t i = 0; i < chunks[c].rows[e]; ++i)
             results[row++].add_(1000.0 * static_cast<double>(dispatch.first_expert() +
                                                              static_cast<std::int64_t>(e) + 1));
         EXPECT_EQ(row, rows.size(0));
         return results;
       },
       [&](std::size_t c, const at::Tensor& rows) {
         kernels::add_rows(rows, chunks[c].leaving, {},
                           sum.narrow(0, chunks[c].first, chunks[c].tokens));
       }});
  const auto expected = x * kChosen + 1000.0 * (chosen + 1).sum(1, true).to(at::kDouble);
  EXPECT_TRUE(at::equal(sum, expected)) << "rank with expert " << dispatch.first_expert();
}

TEST(ExpertDispatch, OnOneRankCopiesAndCutsNothing) {
  const ExpertDispatch dispatch(nullptr, kExperts, 4);
  const auto chosen = choices(40, 1);
  EXPECT_EQ(dispatch.plan(chosen, dispatch.exchange(chosen)).size(), 1u);
  expect_every_row_at_its_expert_and_back(dispatch, chosen);
}

// As many tokens as the rank's number allows: none on the first, most on the last.
TEST(ExpertDispatch, SendsEveryRowToItsExpertAndBackForAnyNumberOfTokensAndChunks) {
  for (const int ranks : {2, 4})
    for (const int ranks_per_node : {ranks, ranks / 2})
      for (const std::int64_t chunks : {1, 5, 40})
        on_ranks(ranks, ranks_per_node, [&](const std::shared_ptr<comm::Group>& group) {
          const ExpertDispatch dispatch(group, kExperts, chunks);
          const auto seed = static_cast<std::uint64_t>(group->rank()) + 1;
          expect_every_row_at_its_expert_and_back(dispatch, choices(group->rank() * 13, seed));
          expect_every_row_at_its_expert_and_back(dispatch, choices(7, seed));
        });
}

TEST(ExpertDispatch, WithAnExpertOnEachRankNeedsNoOrderOfItsOwn) {
  on_ranks(8, 4, [&](const std::shared_ptr<comm::Group>& group) {
    const ExpertDispatch dispatch(group, kExperts, 3);
    expect_every_row_at_its_expert_and_back(
        dispatch, choices(group->rank() * 2, static_cast<std::uint64_t>(group->rank()) + 1));
  });
}

TEST(ExpertDispatch, BearsThatAllTokensGoToTheExpertsOfOneRank) {
  on_ranks(4, 4, [&](const std::shared_ptr<comm::Group>& group) {
    const ExpertDispatch dispatch(group, kExperts, 5);
    const auto chosen = at::tensor({5, 4}, at::kLong).expand({17, kChosen}).contiguous();
    expect_every_row_at_its_expert_and_back(dispatch, chosen);
    const auto chunks = dispatch.plan(chosen, dispatch.exchange(chosen));
    for (const auto& chunk : chunks)
      EXPECT_EQ(chunk.rows[0], group->rank() == 2 ? 4 * chunk.tokens : 0);
  });
}

// What a rank has in memory of other ranks' tokens at a time has a bound, whatever the load.
TEST(ExpertDispatch, CutsTokensEvenlyOnEveryRank) {
  on_ranks(2, 2, [&](const std::shared_ptr<comm::Group>& group) {
    const ExpertDispatch dispatch(group, kExperts, 11);
    const auto chosen = choices(group->rank() == 0 ? 101 : 3, 1);
    const auto chunks = dispatch.plan(chosen, dispatch.exchange(chosen));
    EXPECT_EQ(chunks.size(), 11u);
    std::int64_t tokens = 0;
    for (const auto& chunk : chunks) {
      EXPECT_EQ(chunk.first, tokens);
      tokens += chunk.tokens;
      EXPECT_LE(chunk.arriving.count(), 2 * 10 * kChosen);
    }
    EXPECT_EQ(tokens, chosen.size(0));
  });
}

}  // namespace
}  // namespace phalanx::parallel

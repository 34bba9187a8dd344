#include "parallel/tensor_axis.h"

#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "kernels/linear.h"
#include "parallel/tensor_buffer.h"
#include "tests/kernels/tensors.h"
#include "tests/parallel/ranks_as_threads.h"

namespace phalanx::parallel {
namespace {

constexpr std::int64_t kSequences = 2, kLength = 24, kWidth = 320, kPart = 96;

// Body(axis, group) on ranks of the tensor axis: `nodes` says on which node each is.
template <class Body>
void on_axis(const std::vector<int>& nodes, const Body& body) {
  on_ranks(nodes, 16 << 20, [&](const std::shared_ptr<comm::Group>& group) {
    AxisGroups groups;
    groups.tensor = group;
    body(TensorAxis(groups, kLength), *group);
    group->barrier().wait();
  });
}

at::Tensor own_tokens(const at::Tensor& all, comm::Group& group) {
  const auto tokens = kSequences * kLength / group.size();
  return all.view({1, -1, all.size(-1)}).narrow(1, group.rank() * tokens, tokens).contiguous();
}

// What travels here is summed at once, by the group itself.
at::Tensor summed_at_once(comm::Group& group, const at::Tensor& all) {
  auto own = at::empty({1, kSequences * kLength / group.size(), all.size(-1)}, all.options());
  group.reduce_scatter(buffer_of(all), buffer_of(own)).wait();
  return own;
}

class TensorAxisOf : public testing::TestWithParam<std::vector<int>> {};

TEST_P(TensorAxisOf, GivesOwnTokensToUseFirstThenAllOthersOnce) {
  on_axis(GetParam(), [](const TensorAxis& axis, comm::Group& group) {
    const auto all = test::numbers({kSequences, kLength, kWidth}, 1, at::kFloat);
    const auto own = own_tokens(all, group);
    std::vector<std::int64_t> used(static_cast<std::size_t>(kSequences * kLength));
    const auto rows = all.view({-1, kWidth});
    std::int64_t first_used = -1;
    const auto found = axis.gather(own, [&](const at::Tensor& tokens, std::int64_t first) {
      if (first_used < 0) {
        first_used = first;
        EXPECT_EQ(tokens.size(0), own.size(1));
      }
      EXPECT_TRUE(test::same_bits(tokens, rows.narrow(0, first, tokens.size(0)).contiguous()));
      for (std::int64_t i = 0; i < tokens.size(0); ++i) ++used[static_cast<std::size_t>(first + i)];
    });
    EXPECT_EQ(first_used, group.rank() * own.size(1));
    EXPECT_EQ(used, std::vector<std::int64_t>(used.size(), 1));
    EXPECT_TRUE(test::same_bits(found, all));
  });
}

TEST_P(TensorAxisOf, MultipliesInPartsWithTheBitsOfWholeProducts) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    on_axis(GetParam(), [&](const TensorAxis& axis, comm::Group& group) {
      const auto x = test::numbers({kSequences, kLength, kWidth}, 1, type);
      const auto column = test::numbers({kPart, kWidth}, 10 + group.rank(), type);
      EXPECT_TRUE(test::same_bits(axis.column_linear(own_tokens(x, group), column),
                                  kernels::linear(x, column)));

      const auto row = test::numbers({kWidth, kPart}, 20 + group.rank(), type);
      const auto [dx, dy_of_all] = axis.row_backward_input(own_tokens(x, group), row);
      EXPECT_TRUE(test::same_bits(dx, kernels::linear_backward_input(x, row)));
      EXPECT_TRUE(test::same_bits(dy_of_all, x));
    });
}

// kWidth is three whole blocks of columns and a part of one.
TEST_P(TensorAxisOf, SumsInBlocksWithTheBitsOfASumAtOnce) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    on_axis(GetParam(), [&](const TensorAxis& axis, comm::Group& group) {
      const auto x = test::numbers({kSequences, kLength, kPart}, 30 + group.rank(), type);
      const auto row = test::numbers({kWidth, kPart}, 40 + group.rank(), type);
      const auto residual =
          own_tokens(test::numbers({kSequences, kLength, kWidth}, 2, type), group);
      EXPECT_TRUE(test::same_bits(axis.row_linear_plus(x, row, residual),
                                  summed_at_once(group, kernels::linear(x, row)).add_(residual)));

      const auto column = test::numbers({kPart, kWidth}, 50 + group.rank(), type);
      EXPECT_TRUE(
          test::same_bits(axis.column_backward_input(x, column),
                          summed_at_once(group, kernels::linear_backward_input(x, column))));
    });
}

INSTANTIATE_TEST_SUITE_P(Placements, TensorAxisOf,
                         testing::Values(std::vector<int>{0, 0}, std::vector<int>{0, 1},
                                         std::vector<int>{0, 0, 0}, std::vector<int>{0, 1, 0, 1}));

TEST(TensorAxis, MakesOneProductOfAllColumnsWhereItIsAlone) {
  const TensorAxis axis(AxisGroups{}, kLength);
  int products = 0;
  const auto y = axis.reduce_scatter(kWidth, [&](std::int64_t first, std::int64_t count) {
    ++products;
    EXPECT_EQ(first, 0);
    EXPECT_EQ(count, kWidth);
    return test::numbers({kSequences, kLength, kWidth}, 1, at::kFloat);
  });
  EXPECT_EQ(products, 1);
  EXPECT_EQ(y.size(0), kSequences);
}

}  // namespace
}  // namespace phalanx::parallel

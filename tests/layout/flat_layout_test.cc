#include "layout/flat_layout.h"

#include <gtest/gtest.h>

namespace phalanx::layout {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<std::int64_t>& sizes) {
  std::vector<TensorSpec> specs;
  for (const auto size : sizes) specs.push_back({std::to_string(specs.size()), {size}});
  return specs;
}

TEST(FlatLayout, AlignsEveryTensorTo64Bytes) {
  const auto specs = specs_of({1, 16, 17, 100});
  const auto flat = flat_layout(specs);
  EXPECT_EQ(flat.offsets, (std::vector<std::int64_t>{0, 16, 32, 64}));
  EXPECT_EQ(flat.elements, 64 + 112);
}

TEST(FlatLayout, LeavesNoGapBetweenJoinedTensors) {
  auto specs = specs_of({1, 17, 3, 5, 7});
  specs[2].joined = specs[3].joined = true;
  const auto flat = flat_layout(specs);
  EXPECT_EQ(flat.offsets, (std::vector<std::int64_t>{0, 16, 33, 36, 48}));
  EXPECT_EQ(flat.elements, 64);
}

}  // namespace
}  // namespace phalanx::layout

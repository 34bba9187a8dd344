#include <gtest/gtest.h>

#include "tests/runtime/layout_cases.h"

namespace phalanx::runtime {
namespace {

// Whether some case has the pair, all values of the other features from `feature` on tried.
bool meets_somewhere(const FeaturePair& pair, LayoutCase layout, std::size_t feature, int ranks) {
  if (feature == layout.values.size()) return pair.in(layout) && is_possible(layout, ranks);
  const auto count = static_cast<int>(features()[feature].values.size());
  for (int value = 0; value < count; ++value) {
    if (static_cast<int>(feature) == pair.feature && value != pair.value) continue;
    if (static_cast<int>(feature) == pair.other && value != pair.other_value) continue;
    layout.values[feature] = value;
    if (meets_somewhere(pair, layout, feature + 1, ranks)) return true;
  }
  return false;
}

// The search for cases gives a pair up as soon as a part of a case is refused.
TEST(LayoutCases, GiveUpNoPairThatAllCasesTriedOneByOneLetMeet) {
  for (const auto& pair : all_pairs()) {
    if (can_meet(pair, 8)) continue;
    EXPECT_FALSE(meets_somewhere(pair, {}, 0, 8)) << pair.name();
  }
}

}  // namespace
}  // namespace phalanx::runtime

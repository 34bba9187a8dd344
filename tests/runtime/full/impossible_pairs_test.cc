#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tests/runtime/layout_cases.h"

namespace phalanx::runtime {
namespace {

// No constraint looks at them.
const std::set<std::string> kFree{"mask", "vocabulary", "batch"};

// Calls `body` with every case, possible or not, the free features at their first value.
void for_each_case(LayoutCase& layout, std::size_t feature,
                   const std::function<void(const LayoutCase&)>& body) {
  if (feature == layout.values.size()) return body(layout);
  const auto& [name, values] = features()[feature];
  const auto count = kFree.contains(name) ? 1 : static_cast<int>(values.size());
  for (int value = 0; value < count; ++value) {
    layout.values[feature] = value;
    for_each_case(layout, feature + 1, body);
  }
}

// The search for cases gives a pair up as soon as a part of a case is refused.
TEST(LayoutCases, GiveUpNoPairThatAllCasesTriedOneByOneLetMeet) {
  std::vector<FeaturePair> given_up;
  for (const auto& pair : all_pairs()) {
    if (can_meet(pair, 8)) continue;
    given_up.push_back(pair);
    for (const int feature : {pair.feature, pair.other})
      EXPECT_FALSE(kFree.contains(features()[static_cast<std::size_t>(feature)].name));
  }
  std::set<std::string> found;
  LayoutCase layout;
  for_each_case(layout, 0, [&](const LayoutCase& one) {
    if (!is_possible(one, 8)) return;
    for (const auto& pair : given_up)
      if (pair.in(one)) found.insert(pair.name());
  });
  EXPECT_EQ(found, std::set<std::string>());
}

}  // namespace
}  // namespace phalanx::runtime

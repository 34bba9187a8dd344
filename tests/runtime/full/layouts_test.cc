#include "tests/runtime/layouts.h"

namespace phalanx::runtime {

INSTANTIATE_TEST_SUITE_P(UpToSixteenRanks, Layouts, testing::ValuesIn(layout_cases(16, 150)));
INSTANTIATE_TEST_SUITE_P(UpToSixteenRanks, LayoutsOnNodes,
                         testing::ValuesIn(of_even_ranks(layout_cases(16, 150))));

}  // namespace phalanx::runtime

#include "tests/runtime/layouts.h"

namespace phalanx::runtime {

INSTANTIATE_TEST_SUITE_P(UpToEightRanks, Layouts, testing::ValuesIn(layout_cases(8, 20)));
INSTANTIATE_TEST_SUITE_P(UpToEightRanks, LayoutsOnNodes,
                         testing::ValuesIn(of_even_ranks(layout_cases(8, 20))));

}  // namespace phalanx::runtime

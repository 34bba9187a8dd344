#include "tests/runtime/layouts.h"

namespace phalanx::runtime {

INSTANTIATE_TEST_SUITE_P(UpToEightRanks, Layouts, testing::ValuesIn(layout_cases(8, 20)));

}  // namespace phalanx::runtime

// The backend nccl: on a fake NCCL and two fake GPUs wherever it is built; on GPUs where there are
// some, which ranks share when NCCL lets them.
#include "contract_suite.h"

namespace phalanx::comm {
namespace {

std::vector<ContractCase> cases(const std::string& plugins,
                                const std::vector<std::vector<int>>& placements) {
  std::vector<ContractCase> cases;
  for (const auto& nodes : placements) cases.push_back({"nccl", nodes, plugins, Device::kCuda});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(NcclOnAFakeGpu, Contract,
                         testing::ValuesIn(cases(FAKE_PLUGINS,
                                                 {{0}, {0, 0}, {0, 0, 0}, {0, 0, 1, 1}})),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Nccl, Contract,
                         testing::ValuesIn(cases(PLUGINS, {{0}, {0, 0}, {0, 0, 0, 0}})), case_name);

}  // namespace
}  // namespace phalanx::comm

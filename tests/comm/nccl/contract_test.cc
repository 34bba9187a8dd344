// The backend nccl: its own code on a fake GPU wherever it is built.
#include <signal.h>

#include <filesystem>

#include "contract_suite.h"

namespace phalanx::comm {
namespace {

using Kind = CommError::Kind;

std::vector<ContractCase> on_a_fake_gpu() {
  if (!std::filesystem::exists(std::string(FAKE_PLUGINS) + "/libphalanx-nccl.so")) return {};
  std::vector<ContractCase> cases;
  for (const auto& nodes : {std::vector{0}, {0, 0}, {0, 0, 0}, {0, 0, 1, 1}})
    cases.push_back({"nccl", nodes, FAKE_PLUGINS});
  return cases;
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Contract);
INSTANTIATE_TEST_SUITE_P(NcclOnAFakeGpu, Contract, testing::ValuesIn(on_a_fake_gpu()), case_name);

}  // namespace
}  // namespace phalanx::comm

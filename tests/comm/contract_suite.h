#pragma once

#include <filesystem>

#include "cluster.h"
#include "comm/plugin.h"
#include "device/device_memory.h"

namespace phalanx::comm {

// What every backend promises. A backend plugs in with
//   INSTANTIATE_TEST_SUITE_P(Native, Contract, testing::ValuesIn(cases), case_name);
// A test runs real processes; a case of it is a placement of ranks on (emulated) nodes.
struct ContractCase {
  std::string backend;
  std::vector<int> nodes;         // of each rank
  std::string plugins = PLUGINS;  // the folder of the backend's, if it is one
  Device device = Device::kCpu;
  friend void PrintTo(const ContractCase& value, std::ostream* out) {
    *out << value.backend << ", nodes of ranks: " << testing::PrintToString(value.nodes);
  }
};

inline std::string case_name(const testing::TestParamInfo<ContractCase>& info) {
  std::string name = "Nodes";
  for (const int node : info.param.nodes) name += std::to_string(node);
  return name;
}

class Contract : public testing::TestWithParam<ContractCase> {
 protected:
  void SetUp() override {
    if (GetParam().device == Device::kCpu) return;
    if (!std::filesystem::exists(GetParam().plugins + "/" + plugin_file(GetParam().backend)))
      GTEST_SKIP() << "the plug-in " << GetParam().backend
                   << " was not built: no nvcc (scripts/setup.sh --cuda)";
    const auto missing = device_memory(GetParam().device, GetParam().plugins).missing(size());
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
  ClusterPlan plan(const std::string& scenario,
                   nlohmann::json arguments = nlohmann::json::object()) const {
    ClusterPlan plan{
        .backend = GetParam().backend, .scenario = scenario, .nodes = GetParam().nodes};
    plan.arguments = std::move(arguments);
    plan.plugins = GetParam().plugins;
    return plan;
  }
  int size() const { return static_cast<int>(GetParam().nodes.size()); }
};

TEST_P(Contract, CollectivesGiveTheBitsOfThePlainTree) {
  const auto cluster = start(plan("every_collective", {{"memory", {"registered", "heap", "mixed"}},
                                                       {"counts", {1, 0, 3, 17, 1000, 70'001}},
                                                       {"type", "fp32"}}));
  expect_no_complaints(cluster->results());
}

TEST_P(Contract, EveryTypeIsReducedByEveryReduction) {
  const auto cluster = start(
      plan("every_reduction", {{"memory", {"registered", "heap"}}, {"counts", {1, 0, 37, 5000}}}));
  expect_no_complaints(cluster->results());
}

TEST_P(Contract, EveryTypeMovesWholeAlsoInUnevenAndEmptySlices) {
  const auto cluster = start(
      plan("every_exchange", {{"memory", {"registered", "mixed"}}, {"counts", {1, 0, 6, 9000}}}));
  expect_no_complaints(cluster->results());
}

TEST_P(Contract, UnevenSlicesLargerThanAnyStagingMoveWhole) {
  const auto cluster = start(
      plan("every_exchange",
           {{"memory", {"registered", "heap", "mixed"}}, {"counts", {100'001}}, {"type", "fp32"}}));
  expect_no_complaints(cluster->results());
}

TEST_P(Contract, GroupsOfAnyMembersInAnyOrderDoEverything) {
  const auto cluster = start(
      plan("every_group", {{"memory", {"heap"}}, {"counts", {0, 5, 3000}}, {"type", "fp32"}}));
  expect_no_complaints(cluster->results());
}

TEST_P(Contract, MessagesArriveWholeAndInOrder) {
  const auto cluster = start(plan("every_message", {{"memory", {"registered", "heap"}},
                                                    {"counts", {1, 0, 500, 8192, 50'000}}}));
  if (size() > 1) expect_no_complaints(cluster->results());
}

TEST_P(Contract, ThousandsOfSmallOperationsRunBackToBack) {
  for (const std::string memory : {"registered", "heap"})
    for (const int count : {7, 3000}) {
      SCOPED_TRACE(memory + " memory, elements: " + std::to_string(count));
      const auto cluster =
          start(plan("many_small", {{"rounds", 300}, {"count", count}, {"memory", memory}}));
      for (const auto& result : cluster->results())
        EXPECT_EQ(result.value("wrong", -1), 0) << result;
    }
}

TEST_P(Contract, DifferentOperationsOfSeveralGroupsOverlap) {
  const auto cluster = start(plan("overlap", {{"rounds", 3}}));
  expect_no_complaints(cluster->results());
}

TEST_P(Contract, OperationsProceedWhileNobodyWaits) {
  const auto cluster = start(plan("proceeds_alone"));
  for (const auto& result : cluster->results()) {
    EXPECT_TRUE(result.value("done", false)) << result;
    EXPECT_EQ(result.value("small", 0), size());
    EXPECT_EQ(result.value("large", 0), size());
  }
}

}  // namespace phalanx::comm

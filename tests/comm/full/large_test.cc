#include "cluster.h"

namespace phalanx::comm {
namespace {

ClusterPlan large(const std::vector<int>& nodes) {
  ClusterPlan plan{.scenario = "every_collective", .nodes = nodes};
  plan.arguments = {{"memory", {"heap"}}, {"counts", {(2 << 20) + 5}}, {"type", "fp32"}};
  plan.bytes_per_rank = 4 << 20;  // room for staging only
  return plan;
}

TEST(CommLarge, BuffersOfManyMebibytesGoThroughSmallStagingOnOneNode) {
  expect_no_complaints(start(large({0, 0}))->results());
}

TEST(CommLarge, BuffersOfManyMebibytesGoThroughSmallStagingBetweenNodes) {
  expect_no_complaints(start(large({0, 0, 1}))->results());
}

TEST(CommIdle, ThreeSecondsOfWaitingTakeHardlyAnyProcessorTime) {
  for (const auto& nodes : {std::vector{0, 0}, std::vector{0, 1}}) {
    const auto cluster = start({.scenario = "waits_in_vain", .nodes = nodes, .deadline_ms = 3'000});
    const auto result = cluster->result(1);
    EXPECT_LT(result.value("cpu", 9.9), 0.3) << result;
  }
}

}  // namespace
}  // namespace phalanx::comm

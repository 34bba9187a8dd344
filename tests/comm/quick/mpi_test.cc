// What the backend mpi does when not all goes well. It cannot re-form: a death takes all processes
// down with mpirun, and each learns of a failure by itself.
#include <signal.h>

#include "cluster.h"
#include "protocol/black_box.h"

namespace phalanx::comm {
namespace {

using Kind = CommError::Kind;
using nlohmann::json;

ClusterPlan mpi(const std::string& scenario, int ranks) {
  return {.backend = "mpi",
          .scenario = scenario,
          .nodes = std::vector<int>(static_cast<std::size_t>(ranks), 0)};
}

ClusterPlan suffering(const std::string& operation, const std::string& when) {
  auto plan = mpi("suffers", 3);
  plan.arguments = {{"operation", operation}, {"when", when}, {"victim", 1}, {"count", 1'000'000}};
  return plan;
}

bool is_gone(const json& result) { return result.contains("ended"); }

TEST(CommMpi, ARankThatStopsIsNamedAtTheDeadline) {
  for (const std::string when : {"before", "middle"}) {
    SCOPED_TRACE(when);
    auto plan = suffering("all_reduce", when);
    plan.deadline_ms = 1'000;
    const auto cluster = start(plan);
    cluster->await_mark(1);
    ::kill(cluster->pid(1), SIGSTOP);
    for (const json& result : cluster->results({0, 2})) expect_error(result, Kind::kTimeout, 1);
  }
}

TEST(CommMpi, EveryOperationEndsWhenARankStops) {
  std::vector<std::pair<std::string, std::unique_ptr<Cluster>>> clusters;
  for (const std::string operation : {"reduce_scatter", "all_gather", "broadcast", "gather",
                                      "scatter", "all_to_all", "message", "barrier"}) {
    auto plan = suffering(operation, "before");
    plan.deadline_ms = 1'500;
    clusters.emplace_back(operation, start(plan));
    clusters.back().second->await_mark(1);
    ::kill(clusters.back().second->pid(1), SIGSTOP);
  }
  for (const auto& [operation, cluster] : clusters) {
    SCOPED_TRACE(operation);
    int timeouts = 0;
    for (const json& result : cluster->results({0, 2})) {
      if (is_gone(result)) continue;  // mpirun has ended it after the other's failure
      ASSERT_TRUE(result.contains("comm_error")) << result;
      EXPECT_EQ(result["comm_error"]["kind"], static_cast<int>(Kind::kTimeout)) << result;
      ++timeouts;
    }
    EXPECT_GE(timeouts, 1);
  }
}

TEST(CommMpi, NobodyOutlivesARankThatIsKilled) {
  const auto cluster = start(suffering("all_reduce", "middle"));
  cluster->await_mark(1);
  ::kill(cluster->pid(1), SIGKILL);
  for (const json& result : cluster->results({0, 2}))
    EXPECT_TRUE(is_gone(result) || result.contains("comm_error")) << result;
}

TEST(CommMpi, AbortFromAnotherThreadEndsPendingAndLaterOperations) {
  auto plan = mpi("aborts", 2);
  plan.arguments = {{"operation", "all_reduce"}, {"count", 100'000}};
  plan.deadline_ms = 1'500;
  const auto cluster = start(plan);
  const json result = cluster->result(0);
  expect_error(result, Kind::kAborted, 1);
  EXPECT_EQ(result["later"]["kind"], static_cast<int>(Kind::kAborted)) << result;
  const json other = cluster->result(1);
  EXPECT_TRUE(is_gone(other) || other.contains("comm_error")) << other;
}

TEST(CommMpi, OperationsAreInTheBlackBoxAndOneThatWaitsIsNotFinished) {
  const auto cluster = start(suffering("barrier", "before"));
  cluster->await_mark(1);
  const auto& box = protocol::black_box_in(cluster->black_box(2));
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (box.collectives[1].started.load() == 0 && Clock::now() < deadline) {
  }
  const auto &first = box.collectives[0], &second = box.collectives[1];
  EXPECT_EQ(first.operation.load(), static_cast<std::uint32_t>(Operation::kBarrier));
  EXPECT_EQ(first.sequence.load(), 1u);
  EXPECT_GE(first.started.load(), first.issued.load());
  EXPECT_GE(first.finished.load(), first.started.load());
  EXPECT_EQ(second.sequence.load(), 2u);
  EXPECT_NE(second.started.load(), 0);
  EXPECT_EQ(second.finished.load(), 0);
}

TEST(CommMpi, AWaitInVainTakesHardlyAnyProcessorTime) {
  auto plan = mpi("waits_in_vain", 2);
  plan.deadline_ms = 2'000;
  const auto result = start(plan)->result(1);
  EXPECT_LT(result.value("cpu", 9.9), 0.2) << result;
}

}  // namespace
}  // namespace phalanx::comm

// What happens when a rank dies, stops or is cut off: every survivor names it.
#include <signal.h>

#include "cluster.h"
#include "comm/native/node_memory.h"

namespace phalanx::comm {
namespace {

using Kind = CommError::Kind;
using nlohmann::json;

const std::vector<std::string> kOperations{"all_reduce", "reduce_scatter", "all_gather",
                                           "broadcast",  "gather",         "scatter",
                                           "all_to_all", "message",        "barrier"};
const std::vector<std::vector<int>> kPlacements{{0, 0, 0}, {0, 1, 1, 0}};

ClusterPlan suffering(const std::vector<int>& nodes, const std::string& operation,
                      const std::string& when, int victim) {
  ClusterPlan plan{.scenario = "suffers", .nodes = nodes};
  plan.arguments = {
      {"operation", operation}, {"when", when}, {"victim", victim}, {"count", 1'000'000}};
  return plan;
}

// Does `signal` to rank 1 before it joins each operation and in the middle of it, on all clusters
// at once, and expects of all survivors that they name it.
void expect_blame(int signal, Kind kind, int deadline_ms) {
  std::vector<std::pair<std::string, std::unique_ptr<Cluster>>> clusters;
  for (const auto& nodes : kPlacements)
    for (const std::string& operation : kOperations)
      for (const std::string when : {"before", "middle"}) {
        auto plan = suffering(nodes, operation, when, 1);
        plan.deadline_ms = deadline_ms;
        plan.bytes_per_rank = 4 << 20;
        clusters.emplace_back(operation + ", " + when, start(plan));
        clusters.back().second->await_mark(1);
        ::kill(clusters.back().second->pid(1), signal);
      }
  for (const auto& [what, cluster] : clusters) {
    SCOPED_TRACE(what);
    for (const json& result : cluster->results(cluster->others(1))) expect_error(result, kind, 1);
  }
}

TEST(CommFailure, AKilledRankIsNamedByEverySurvivorInEveryOperation) {
  expect_blame(SIGKILL, Kind::kPeerDied, 60'000);
}

TEST(CommFailure, AStoppedRankIsNamedByEverySurvivorInEveryOperation) {
  expect_blame(SIGSTOP, Kind::kTimeout, 3'000);
}

TEST(CommFailure, ARankThatNeverComesIsNamed) {
  auto plan = suffering({0, 1, 0, 1}, "all_reduce", "before", 2);
  plan.deadline_ms = 1'500;
  const auto cluster = start(plan);
  for (const json& result : cluster->results(cluster->others(2)))
    expect_error(result, Kind::kTimeout, 2);
}

TEST(CommFailure, NotTheOneThatWaitsItselfIsBlamed) {
  for (const auto& nodes : {std::vector{0, 0, 0}, std::vector{0, 1, 2}, std::vector{0, 1, 1}}) {
    SCOPED_TRACE(testing::PrintToString(nodes));
    const auto cluster =
        start({.scenario = "waits_in_a_row", .nodes = nodes, .deadline_ms = 1'500});
    for (const json& result : cluster->results({1, 2})) expect_error(result, Kind::kTimeout, 0);
  }
}

TEST(CommFailure, ARankThatIsCutOffIsNamed) {
  ClusterPlan plan{.scenario = "is_cut_off", .nodes = {0, 1, 2}};
  plan.arguments = {{"operation", "all_reduce"}, {"victim", 1}, {"count", 1'000'000}};
  const auto cluster = start(plan);
  for (const json& result : cluster->results({0, 2})) expect_error(result, Kind::kPeerDied, 1);
}

TEST(CommFailure, TheKeeperEndsTheWaitOfEveryRankOfItsNode) {
  const auto cluster = start(suffering({0, 0, 1, 1}, "all_reduce", "before", 1));
  cluster->await_mark(1);
  abort_node_memory(cluster->node_memory(0), 1);
  for (const json& result : cluster->results({0, 2, 3})) expect_error(result, Kind::kPeerDied, 1);
}

TEST(CommFailure, AGenerationThatIsOverCannotBeJoined) {
  ClusterPlan plan{.scenario = "forms", .nodes = {0, 0}};
  Cluster cluster(plan);
  cluster.announce_generation({0, 1});
  abort_node_memory(cluster.node_memory(0), -1);
  for (const json& result : cluster.results())
    if (result.contains("comm_error")) expect_error(result, Kind::kPeerDied, -1);
}

TEST(CommFailure, AbortFromAnotherThreadEndsPendingAndLaterOperations) {
  ClusterPlan plan{.scenario = "aborts", .nodes = {0, 0, 1}};
  plan.arguments = {{"operation", "all_reduce"}, {"count", 100'000}};
  const auto results = start(plan)->results();
  for (const json& result : results) expect_error(result, Kind::kAborted, 1);
  EXPECT_EQ(results[0]["later"]["kind"], static_cast<int>(Kind::kAborted)) << results[0];
}

TEST(CommFailure, DifferentOperationsOrSizesAreAMismatch) {
  for (const auto& nodes : {std::vector{0, 0, 0}, std::vector{0, 1}})
    for (const std::string how :
         {"size", "large size", "operation", "reduction", "type", "pairs", "root", "message"}) {
      SCOPED_TRACE(how);
      ClusterPlan plan{.scenario = "mismatches", .nodes = nodes};
      plan.arguments = {{"how", how}, {"victim", 0}};
      for (const json& result : start(plan)->results()) {
        ASSERT_TRUE(result.contains("comm_error")) << result;
        EXPECT_EQ(result["comm_error"]["kind"], static_cast<int>(Kind::kMismatch)) << result;
      }
    }
}

TEST(CommFailure, CountsThatDifferBetweenTwoRanksAreAMismatchAndWriteNothingElsewhere) {
  for (const auto& nodes : {std::vector{0, 0, 0}, std::vector{0, 1, 0}})
    for (const auto& [offered, expected] : {std::pair{5, 4}, {4, 5}, {0, 3}, {3, 0}, {90'000, 5}}) {
      SCOPED_TRACE(testing::PrintToString(nodes) + " " + std::to_string(offered) + " instead of " +
                   std::to_string(expected));
      ClusterPlan plan{.scenario = "miscounts", .nodes = nodes};
      plan.arguments = {{"victim", 0}, {"offered", offered}, {"expected", expected}};
      for (const json& result : start(plan)->results()) {
        expect_error(result, Kind::kMismatch, 0);
        EXPECT_TRUE(result.value("kept", false));
      }
    }
}

TEST(CommFailure, SurvivorsReFormWithoutTheFallen) {
  ClusterPlan plan{.scenario = "re_forms", .nodes = {0, 1, 0, 1}};
  plan.arguments = {{"operation", "all_reduce"}, {"victim", 1}, {"count", 100'000}};
  const auto cluster = start(plan);
  cluster->await_mark(1);
  ::kill(cluster->pid(1), SIGKILL);
  const std::vector<int> survivors{0, 2, 3};
  cluster->announce_generation(survivors);
  for (const json& result : cluster->results(survivors)) {
    ASSERT_TRUE(result.contains("first")) << result;
    expect_error(result["first"], Kind::kPeerDied, 1);
    EXPECT_EQ(result["sum"], 3);
  }
}

TEST(CommFailure, ARankThatIsDoneMayLeaveTheOthers) {
  for (const auto& nodes : {std::vector{0, 0, 0}, std::vector{0, 1, 0, 1}}) {
    ClusterPlan plan{.scenario = "leaves_early", .nodes = nodes};
    for (const json& result : start(plan)->results())
      EXPECT_EQ(result.value("sum", 0), nodes.size() - 1) << result;
  }
}

}  // namespace
}  // namespace phalanx::comm

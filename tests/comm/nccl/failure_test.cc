// What happens to the backend nccl when a rank dies, stops or leaves: on a fake NCCL, which never
// notices by itself.
#include <signal.h>

#include <filesystem>

#include "cluster.h"
#include "protocol/black_box.h"

namespace phalanx::comm {
namespace {

using Kind = CommError::Kind;
using nlohmann::json;

class NcclFailure : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::string(FAKE_PLUGINS) + "/libphalanx-nccl.so"))
      GTEST_SKIP() << "no nvcc: the plug-in nccl was not built (scripts/setup.sh --cuda)";
  }
  ClusterPlan plan(const std::string& scenario, int ranks, json arguments = json::object()) const {
    ClusterPlan plan{.backend = "nccl",
                     .scenario = scenario,
                     .nodes = std::vector<int>(static_cast<std::size_t>(ranks), 0)};
    plan.arguments = std::move(arguments);
    plan.plugins = FAKE_PLUGINS;
    return plan;
  }
};

const std::vector<std::string> kOperations{"all_reduce", "reduce_scatter", "all_gather",
                                           "broadcast",  "message",        "barrier"};

TEST_F(NcclFailure, AKilledRankIsNamedByEverySurvivorInEveryOperation) {
  for (const std::string& operation : kOperations)
    for (const std::string when : {"before", "middle"}) {
      SCOPED_TRACE(operation + ", " + when);
      const auto cluster = start(
          plan("suffers", 5,
               {{"operation", operation}, {"when", when}, {"victim", 3}, {"count", 100'000}}));
      cluster->await_mark(3);
      ::kill(cluster->pid(3), SIGKILL);
      for (const json& result : cluster->results(cluster->others(3)))
        expect_error(result, Kind::kPeerDied, 3);
    }
}

TEST_F(NcclFailure, AStoppedRankEndsEveryWaitAtTheDeadline) {
  auto stopped = plan(
      "suffers", 3, {{"operation", "all_reduce"}, {"when", "before"}, {"victim", 1}, {"count", 9}});
  stopped.deadline_ms = 1'500;
  const auto cluster = start(stopped);
  cluster->await_mark(1);
  ::kill(cluster->pid(1), SIGSTOP);
  for (const json& result : cluster->results({0, 2})) expect_error(result, Kind::kTimeout, -1);
}

TEST_F(NcclFailure, AbortFromAnotherThreadEndsPendingAndLaterOperations) {
  const auto results =
      start(plan("aborts", 3, {{"operation", "all_reduce"}, {"count", 100'000}}))->results();
  for (const json& result : results) expect_error(result, Kind::kAborted, 1);
  EXPECT_EQ(results[0]["later"]["kind"], static_cast<int>(Kind::kAborted)) << results[0];
}

TEST_F(NcclFailure, SurvivorsReFormInTheSameProcesses) {
  const auto cluster =
      start(plan("re_forms", 4, {{"operation", "all_reduce"}, {"victim", 1}, {"count", 100'000}}));
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

TEST_F(NcclFailure, ARankThatIsDoneMayLeaveTheOthers) {
  for (const json& result : start(plan("leaves_early", 4))->results())
    EXPECT_EQ(result.value("sum", 0), 3) << result;
}

TEST_F(NcclFailure, ARankWithAnotherSecretIsNotLetIn) {
  auto other = plan("forms", 3);
  other.deadline_ms = 1'500;
  other.secrets = {{2, "not the secret"}};
  for (const json& result : start(other)->results())
    EXPECT_TRUE(result.contains("comm_error")) << result;
}

TEST_F(NcclFailure, OperationsAndTheirGroupsAreInTheBlackBox) {
  const auto cluster = start(plan("records", 2));
  cluster->results();
  for (const int rank : {0, 1}) {
    const auto& box = protocol::black_box_in(cluster->black_box(rank));
    ASSERT_EQ(box.collectives_issued, 3u);
    for (const int i : {0, 1, 2}) {
      const auto& record = box.collectives[static_cast<std::size_t>(i)];
      EXPECT_EQ(record.group, i == 0 ? 0u : 1u);
      EXPECT_EQ(record.sequence, i == 2 ? 2u : 1u);
      EXPECT_LE(record.issued, record.started);
      EXPECT_LE(record.started, record.finished);
    }
  }
}

}  // namespace
}  // namespace phalanx::comm

// Ranks that share a GPU: who does, and what the plug-in says to a NCCL that cannot have it. That a
// NCCL that can is told to is in the contract's cases with more ranks than the fake host has GPUs.
#include "comm/nccl/sharing.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "cluster.h"
#include "comm/backend.h"

namespace phalanx::comm::nccl {
namespace {

using testing::HasSubstr;

std::vector<Peer> peers(const std::vector<std::pair<std::string, int>>& places) {
  std::vector<Peer> peers;
  for (const auto& [host, slot] : places)
    peers.push_back({static_cast<int>(peers.size()), 0, host, 0, slot});
  return peers;
}

TEST(NcclSharing, RanksOfAHostShareAGpuWhenTheirSlotsHaveTheSameInTurn) {
  const auto five = peers({{"a", 0}, {"a", 1}, {"a", 2}, {"a", 3}, {"a", 4}});
  EXPECT_EQ(ranks_on_device(five, 2, 1), 5);
  EXPECT_EQ(ranks_on_device(five, 2, 2), 3);
  EXPECT_EQ(ranks_on_device(five, 1, 2), 2);
  EXPECT_EQ(ranks_on_device(five, 2, 8), 1);
}

TEST(NcclSharing, EmulatedNodesOfAHostShareItsGpusAndOtherHostsHaveTheirOwn) {
  EXPECT_EQ(ranks_on_device(peers({{"a", 0}, {"a", 1}, {"a", 0}, {"a", 1}}), 3, 8), 2);
  EXPECT_EQ(ranks_on_device(peers({{"a", 0}, {"a", 1}, {"b", 0}, {"b", 1}}), 3, 8), 1);
}

TEST(NcclSharing, FewerBlocksForEachRankTheMoreShareAGpu) {
  EXPECT_EQ(most_blocks(1), 0);
  EXPECT_EQ(most_blocks(2), 8);
  EXPECT_EQ(most_blocks(4), 4);
  EXPECT_EQ(most_blocks(64), 1);
}

TEST(NcclSharing, AnOlderNcclIsRefusedByVersionsAndWhatToDo) {
  const auto two = peers({{"a", 0}, {"a", 1}});
  EXPECT_NO_THROW(check_sharing(two, 1, 2, 22809));
  EXPECT_NO_THROW(check_sharing(two, 1, 1, 23000));
  try {
    check_sharing(two, 1, 1, 22907);
    FAIL() << "nothing was refused";
  } catch (const PlacementError& error) {
    EXPECT_EQ(error.what(),
              std::string("backend nccl: rank 1 shares its GPU with 1 more: expected NCCL 2.30 or "
                          "later for that, found 2.29.7"));
    EXPECT_THAT(error.help(), HasSubstr("launch.ranks_per_node: 1 at most"));
  }
}

ClusterPlan on_old_nccl(std::vector<int> nodes) {
  ClusterPlan plan{.backend = "nccl", .scenario = "many_small", .nodes = std::move(nodes)};
  plan.arguments = {{"rounds", 3}, {"count", 7}, {"memory", "heap"}};
  plan.plugins = FAKE_PLUGINS;
  plan.environment = {{"FAKE_NCCL_VERSION", "22809"}};
  return plan;
}

class NcclOlderThanSharing : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::string(FAKE_PLUGINS) + "/libphalanx-nccl.so"))
      GTEST_SKIP() << "no nvcc: the plug-in nccl was not built (scripts/setup.sh --cuda)";
  }
};

TEST_F(NcclOlderThanSharing, RanksWithAGpuEachWorkTogether) {
  for (const auto& result : start(on_old_nccl({0, 0}))->results())
    EXPECT_EQ(result.value("wrong", -1), 0) << result;
}

TEST_F(NcclOlderThanSharing, RanksThatShareAreToldSoBeforeAnyFormsACommunicator) {
  const auto cluster = start(on_old_nccl({0, 0, 0}));
  for (const int rank : {0, 2})
    EXPECT_THAT(cluster->result(rank).value("error", ""), HasSubstr("found 2.28.9"));
}

}  // namespace
}  // namespace phalanx::comm::nccl

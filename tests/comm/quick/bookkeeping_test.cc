// What a rank leaves for others to read, and what it tells when memory is short.
#include <gmock/gmock.h>

#include "cluster.h"
#include "protocol/black_box.h"

namespace phalanx::comm {
namespace {

TEST(CommBookkeeping, OperationsAreInTheBlackBox) {
  const auto cluster = start({.scenario = "records", .nodes = {0, 0}});
  for (const auto& result : cluster->results()) ASSERT_TRUE(result.empty()) << result;
  const auto& box = protocol::black_box_in(cluster->black_box(1));
  ASSERT_EQ(box.collectives_issued.load(), 3u);
  const auto& first = box.collectives[0];
  EXPECT_EQ(first.operation.load(), static_cast<std::uint32_t>(Operation::kBarrier));
  EXPECT_EQ(first.group.load(), 0u);
  EXPECT_EQ(first.sequence.load(), 1u);
  const auto& last = box.collectives[2];
  EXPECT_EQ(last.operation.load(), static_cast<std::uint32_t>(Operation::kAllReduce));
  EXPECT_EQ(last.group.load(), 1u);
  EXPECT_EQ(last.sequence.load(), 2u);
  EXPECT_EQ(last.bytes.load(), 20u);
  EXPECT_GT(last.issued.load(), first.finished.load());
  EXPECT_GE(last.started.load(), last.issued.load());
  EXPECT_GE(last.finished.load(), last.started.load());
}

TEST(CommBookkeeping, AnOperationThatWaitsIsStartedAndNotFinished) {
  ClusterPlan plan{.scenario = "suffers", .nodes = {0, 0}};
  plan.arguments = {{"operation", "barrier"}, {"when", "before"}, {"victim", 0}, {"count", 1}};
  const auto cluster = start(plan);
  cluster->await_mark(0);
  const auto& box = protocol::black_box_in(cluster->black_box(1));
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (box.collectives[1].started.load() == 0 && Clock::now() < deadline) {
  }
  EXPECT_EQ(box.collectives[1].sequence.load(), 2u);
  EXPECT_NE(box.collectives[1].started.load(), 0);
  EXPECT_EQ(box.collectives[1].finished.load(), 0);
}

TEST(CommBookkeeping, SpansOfATraceBelongTogetherOnAllRanks) {
  const auto results = start({.scenario = "traces", .nodes = {0, 1, 1}})->results();
  ASSERT_EQ(results.size(), 3u);
  ASSERT_EQ(results[0].size(), 2u) << "what came before and after the recording is not in it";
  ASSERT_EQ(results[1].size(), 1u);
  ASSERT_EQ(results[2].size(), 2u);
  for (const auto& result : results) {
    EXPECT_EQ(result[0]["name"], "all_reduce");
    EXPECT_EQ(result[0]["key"], results[0][0]["key"]);
    EXPECT_EQ(result[0]["sequence"], 2);
    EXPECT_EQ(result[0]["bytes"], 20);
    EXPECT_EQ(result[0]["peer"], -1);
    EXPECT_LE(result[0]["issued"], result[0]["begin"]);
    for (const auto& other : results) EXPECT_LE(other[0]["begin"], result[0]["end"]);
  }
  const auto &receive = results[0][1], &send = results[2][1];
  EXPECT_EQ(send["name"], "send");
  EXPECT_EQ(receive["name"], "receive");
  EXPECT_EQ(send["peer"], 0) << "a rank of the generation, not of the group";
  EXPECT_EQ(receive["peer"], 2);
  EXPECT_EQ(send["key"], receive["key"]);
  EXPECT_NE(send["key"], results[0][0]["key"]);
  EXPECT_EQ(send["sequence"], receive["sequence"]);
  EXPECT_LE(send["begin"], receive["end"]);
}

TEST(CommBookkeeping, UsedUpMemorySaysWhatIsNeeded) {
  ClusterPlan plan{.scenario = "allocate_too_much", .nodes = {0}};
  plan.bytes_per_rank = 1 << 20;
  const auto result = start(plan)->result(0);
  EXPECT_THAT(result.value("what", ""), testing::HasSubstr("1099511627776"));
  EXPECT_THAT(result.value("help", ""), testing::HasSubstr("per rank"));
}

}  // namespace
}  // namespace phalanx::comm

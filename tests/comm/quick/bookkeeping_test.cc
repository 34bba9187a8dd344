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

TEST(CommBookkeeping, UsedUpMemorySaysWhatIsNeeded) {
  ClusterPlan plan{.scenario = "allocate_too_much", .nodes = {0}};
  plan.bytes_per_rank = 1 << 20;
  const auto result = start(plan)->result(0);
  EXPECT_THAT(result.value("what", ""), testing::HasSubstr("1099511627776"));
  EXPECT_THAT(result.value("help", ""), testing::HasSubstr("per rank"));
}

}  // namespace
}  // namespace phalanx::comm

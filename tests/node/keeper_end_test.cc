// How the node ends: whatever goes first, nothing stays behind.
#include <gtest/gtest.h>
#include <signal.h>

#include <vector>

#include "tests/node/running_node.h"

namespace phalanx::node {
namespace {

constexpr Duration kLimit = std::chrono::seconds(5);

void expect_all_gone(const std::vector<pid_t>& pids) {
  const TimePoint deadline = Clock::now() + kLimit;
  for (const pid_t pid : pids) EXPECT_TRUE(gone_by(pid, deadline)) << "process " << pid;
}

TEST(KeeperEnd, AKilledKeeperLeavesNobodyBehindNotEvenAStoppedWorker) {
  RunningNode node({.slots = 3, .with_controller = true});
  const auto workers = node.start_all();
  const auto below = node.children();
  ASSERT_EQ(below.size(), 6u);
  ::kill(workers[1], SIGSTOP);
  ::kill(node.keeper(), SIGKILL);
  expect_all_gone(below);
}

TEST(KeeperEnd, AStoppedWorkerGoesWhenItIsTheLastThatLives) {
  RunningNode node({.slots = 3});
  const auto workers = node.start_all();
  const auto below = node.children();
  ::kill(workers[2], SIGSTOP);
  ::kill(node.keeper(), SIGSTOP);  // so that it restarts nobody meanwhile
  for (const pid_t pid : below)
    if (pid != workers[2]) ::kill(pid, SIGKILL);
  ::kill(node.keeper(), SIGKILL);
  expect_all_gone({workers[2]});
}

TEST(KeeperEnd, EverythingGoesWhenTheLauncherHasGone) {
  RunningNode node({.slots = 3, .with_controller = true});
  const auto workers = node.start_all();
  auto all = node.children();
  all.push_back(node.keeper());
  ::kill(workers[0], SIGSTOP);
  node.launcher().close();
  expect_all_gone(all);
}

TEST(KeeperEnd, AWorkerThatWillNotLeaveIsKilledAfterTheGrace) {
  RunningNode node({.slots = 2, .job = "fake_worker: 0.1:never_leave"});
  node.start_all();
  node.end_node(0.3);
  EXPECT_EQ(node.await_exited(0).code(), 0);
  EXPECT_EQ(node.await_exited(1).signal(), SIGKILL);
  const auto status = node.keeper_exit();
  EXPECT_EQ(status.code, 0) << status.describe();
  const auto reports = node.controller().reports();
  EXPECT_TRUE(reports.back().has_node_ended());
}

TEST(KeeperEnd, AStoppedWorkerIsKilledAfterTheGrace) {
  RunningNode node({.slots = 1});
  const auto pids = node.start_all();
  ::kill(pids[0], SIGSTOP);
  node.end_node(0.1);
  EXPECT_EQ(node.keeper_exit().code, 0);
  EXPECT_TRUE(node.controller().reports().back().has_node_ended());
}

TEST(KeeperEnd, ANodeWithoutWorkersEndsAtOnce) {
  RunningNode node({.slots = 2});
  node.end_node(100);
  EXPECT_EQ(node.keeper_exit().code, 0);
}

}  // namespace
}  // namespace phalanx::node

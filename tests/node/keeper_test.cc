// Faults that the node survives: whatever dies, the workers that live do not notice, and every
// report arrives once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/node/running_node.h"

namespace phalanx::node {
namespace {

using ::testing::HasSubstr;

TimePoint soon() { return Clock::now() + std::chrono::seconds(20); }

// The number of steps reported.
std::int64_t expect_every_step_once(RunningNode& node) {
  std::int64_t last = 0;
  for (const auto& report : node.controller().reports()) {
    const auto& said = report.worker_report().report();
    if (!said.has_step()) continue;
    EXPECT_EQ(said.step().step(), ++last);
  }
  return last;
}

TEST(Keeper, StartsWorkersThatTrainAndEndsThem) {
  RunningNode node({.slots = 3, .job = "steps: 50"});
  const auto pids = node.start_all();
  node.begin(1, {0, 1, 2});
  EXPECT_EQ(node.await_step(1, 50).step(), 50);
  node.end_node(20);
  for (int slot = 0; slot < 3; ++slot) {
    const auto exited = node.await_exited(slot);
    EXPECT_EQ(exited.pid(), pids[static_cast<std::size_t>(slot)]);
    EXPECT_EQ(exited.code(), 0);
    EXPECT_EQ(exited.signal(), 0);
  }
  const auto status = node.keeper_exit();
  EXPECT_EQ(status.code, 0) << status.describe();
}

TEST(Keeper, ReportsAKilledWorkerWithItsLastLinesWhileSurvivorsLiveOn) {
  RunningNode node({.slots = 3});
  const auto pids = node.start_all();
  const auto survivor_start = start_time(pids[0]);
  node.begin(1, {0, 1, 2});
  node.await_step(1, 3);
  ::kill(pids[1], SIGKILL);
  const auto exited = node.await_exited(1);
  EXPECT_EQ(exited.pid(), pids[1]);
  EXPECT_EQ(exited.signal(), SIGKILL);
  EXPECT_THAT(exited.last_lines(), HasSubstr("fake worker " + std::to_string(pids[1])));
  // The memory of the generation told the survivors, before any command came.
  node.await_candidate(0, 0);
  const auto fault = node.controller().await([](const protocol::NodeReport& report) {
    return report.worker_report().report().has_fault() && report.worker_report().slot() == 0;
  });
  EXPECT_EQ(fault.worker_report().report().fault().peer(), 1);

  const std::size_t before = node.reports();
  node.abort(1, 1);
  node.start_worker(1);
  const auto replacement = node.await_started(1, before);
  node.await_candidate(1, before);
  EXPECT_NE(replacement.pid(), pids[1]);
  node.begin(2, {0, 1, 2});
  node.await_step(2, 3);
  EXPECT_EQ(start_time(pids[0]), survivor_start);
}

TEST(Keeper, ReportsAWorkerThatExitsAtOnceWithItsStatus) {
  RunningNode node({.slots = 2, .job = "fake_worker: 0.1:exit_at_start"});
  node.start_worker(1);
  const auto started = node.await_started(1);
  const auto exited = node.await_exited(1);
  EXPECT_EQ(exited.pid(), started.pid());
  EXPECT_EQ(exited.code(), 3);
}

TEST(Keeper, DeliversTheLastWordsOfAWorkerBeforeItsExit) {
  RunningNode node({.slots = 1, .job = "fake_worker: 0.0:fail_at=5,0.0:exit_at=5"});
  node.start_all();
  node.begin(1, {0});
  node.await_exited(0);
  const auto reports = node.controller().reports();
  const auto failed = std::find_if(reports.begin(), reports.end(), [](const auto& report) {
    return report.worker_report().report().has_failed();
  });
  const auto exited = std::find_if(reports.begin(), reports.end(),
                                   [](const auto& report) { return report.has_worker_exited(); });
  EXPECT_LT(failed, exited);
}

class Garbage : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(OfEachKind, Garbage, ::testing::Values("garbage_at", "noise_at"),
                         [](const auto& info) { return info.param; });

TEST_P(Garbage, FromAWorkerEndsItAloneAndItsLogSaysWhy) {
  RunningNode node({.slots = 2, .job = "fake_worker: 0.0:" + GetParam() + "=5"});
  node.start_all();
  node.begin(1, {0, 1});
  const auto exited = node.await_exited(0);
  EXPECT_EQ(exited.signal(), SIGKILL);
  EXPECT_THAT(exited.last_lines(), HasSubstr("killed: "));
  EXPECT_THAT(exited.last_lines(), HasSubstr("expected"));
  const std::size_t before = node.reports();
  node.start_worker(0);
  node.await_candidate(0, before);
}

TEST(Keeper, KillsAWorkerOnCommandButNotItsSuccessor) {
  RunningNode node({.slots = 1});
  const auto first = node.start_all()[0];
  node.kill_worker(0, first);
  EXPECT_EQ(node.await_exited(0).signal(), SIGKILL);
  std::size_t before = node.reports();
  const auto second = node.start_all()[0];
  node.kill_worker(0, first);
  node.begin(1, {0});
  node.await_step(1, 2);
  EXPECT_NE(start_time(second), 0u);
  before = node.reports();
  node.kill_worker(0, second);
  EXPECT_EQ(node.await_exited(0, before).pid(), second);
}

TEST(Keeper, LosesAndDoublesNoReportWhenAgentsAreKilledOneAfterAnother) {
  RunningNode node({.slots = 2, .job = "fake_step_ms: 1"});
  const auto pids = node.start_all();
  const auto begin = start_time(pids[1]);
  node.begin(1, {0, 1});
  for (int starts = 1; starts <= 4; ++starts) {
    const auto agent = node.await_daemon("agent", starts);
    node.await_step(1, 50 * starts);
    ::kill(static_cast<pid_t>(agent.pid()), SIGKILL);
  }
  node.await_daemon("agent", 5);
  node.stop();
  node.controller().await([](const protocol::NodeReport& report) {
    return report.worker_report().report().has_finished() && report.worker_report().slot() == 0;
  });
  EXPECT_GE(expect_every_step_once(node), 200);
  EXPECT_EQ(start_time(pids[1]), begin);
}

TEST(Keeper, LosesAndDoublesNoReportWhenTheControllerMoves) {
  RunningNode node({.slots = 1, .job = "fake_step_ms: 1"});
  node.start_all();
  node.begin(1, {0});
  for (int moves = 1; moves <= 3; ++moves) {
    node.await_step(1, 30 * moves);
    node.move_controller();
  }
  node.await_step(1, 150);
  EXPECT_GE(expect_every_step_once(node), 150);
}

TEST(Keeper, StartsWorkersWithANewNurseryWhenOneIsKilled) {
  RunningNode node({.slots = 3});
  node.start_worker(0);
  node.await_candidate(0);
  const pid_t nursery = node.child_named("phalanx-nursery");
  ::kill(nursery, SIGKILL);
  node.start_worker(1);
  node.start_worker(2);
  node.await_candidate(1);
  node.await_candidate(2);
  EXPECT_NE(node.child_named("phalanx-nursery"), nursery);
  EXPECT_EQ(node.await_daemon("nursery", 2).previous_death(), "signal 9 (Killed)");
}

TEST(Keeper, ReportsANurseryThatKeepsDyingWithItsLastLines) {
  RunningNode node({.slots = 1, .worker_program = "/bin/false"});
  const auto report = node.controller().await(
      [](const protocol::NodeReport& candidate) { return candidate.has_node_failed(); });
  EXPECT_THAT(report.node_failed().message(), HasSubstr("phalanx-nursery"));
  EXPECT_THAT(report.node_failed().message(), HasSubstr("exit status 1"));
}

TEST(Keeper, ReportsAWorkerProgramThatIsNotThere) {
  RunningNode node({.slots = 1, .worker_program = "/no/such/program"});
  const auto report = node.controller().await(
      [](const protocol::NodeReport& candidate) { return candidate.has_node_failed(); });
  EXPECT_THAT(report.node_failed().message(), HasSubstr("/no/such/program"));
}

TEST(Keeper, ReportsThatThereIsNoMemoryForAGeneration) {
  RunningNode node({.slots = 1, .arena_bytes = std::uint64_t{1} << 50});
  node.start_all();
  node.begin(1, {0});
  const auto report = node.controller().await(
      [](const protocol::NodeReport& candidate) { return candidate.has_node_failed(); });
  EXPECT_EQ(report.node_failed().exit_code(), 15);
}

TEST(Keeper, RestartsAKilledControllerAndSaysWhereItIs) {
  RunningNode node({.slots = 1, .with_controller = true});
  node.start_all();
  Frame frame;
  protocol::FromKeeper message;
  ASSERT_EQ(node.launcher().receive(frame, soon()), FrameChannel::Status::kFrame);
  ASSERT_TRUE(message.ParseFromString(frame.payload));
  EXPECT_EQ(message.controller().address(), node.service().address());

  node.move_controller();
  ::kill(node.child_named("phalanx-control"), SIGKILL);
  ASSERT_EQ(node.launcher().receive(frame, soon()), FrameChannel::Status::kFrame);
  ASSERT_TRUE(message.ParseFromString(frame.payload));
  EXPECT_EQ(message.controller().address(), node.service().address());
  node.begin(1, {0});
  node.await_step(1, 3);
  EXPECT_GE(node.service().connections(), 1);
}

TEST(Keeper, GivesUpOnAControllerThatKeepsCrashing) {
  RunningNode node({.slots = 1, .with_controller = true});
  node.start_all();
  Frame frame;
  ASSERT_EQ(node.launcher().receive(frame, soon()), FrameChannel::Status::kFrame);
  std::ofstream(node.output() / "controller") << "crash\n";
  ::kill(node.child_named("phalanx-control"), SIGKILL);
  protocol::FromKeeper message;
  ASSERT_EQ(node.launcher().receive(frame, soon()), FrameChannel::Status::kFrame);
  ASSERT_TRUE(message.ParseFromString(frame.payload));
  EXPECT_THAT(message.failed().message(), HasSubstr("exit status 1"));
  EXPECT_EQ(node.keeper_exit().code, 1);
}

}  // namespace
}  // namespace phalanx::node

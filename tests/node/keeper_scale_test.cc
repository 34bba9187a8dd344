// What a node costs: with many workers, and over many generations. Timings are recorded, not
// judged.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "tests/node/running_node.h"

namespace phalanx::node {
namespace {

std::vector<int> first_slots(int count) {
  std::vector<int> slots(static_cast<std::size_t>(count));
  std::iota(slots.begin(), slots.end(), 0);
  return slots;
}

std::string microseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) +
         " us";
}

class ManyWorkers : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(OnOneKeeper, ManyWorkers, ::testing::Values(2, 64, 512));

TEST_P(ManyWorkers, StartTrainLoseOneAndEnd) {
  const int slots = GetParam();
  RunningNode node({.slots = slots, .job = "fake_step_ms: 50"});
  const TimePoint begin = Clock::now();
  const auto pids = node.start_all();
  RecordProperty("start_to_last_candidate", microseconds(Clock::now() - begin));
  node.begin(1, first_slots(slots));
  node.await_step(1, 2);
  const TimePoint death = Clock::now();
  ::kill(pids.back(), SIGKILL);
  node.await_exited(slots - 1);
  RecordProperty("death_to_report", microseconds(Clock::now() - death));
  node.end_node(60);
  EXPECT_EQ(node.keeper_exit().code, 0);
}

struct Holdings {
  std::ptrdiff_t descriptors = 0;
  std::ptrdiff_t mappings = 0;
  long resident_pages = 0;
};

Holdings holdings(pid_t pid) {
  const std::filesystem::path process = "/proc/" + std::to_string(pid);
  Holdings held;
  held.descriptors = std::distance(std::filesystem::directory_iterator(process / "fd"), {});
  std::ifstream maps(process / "maps");
  held.mappings = std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
  std::ifstream statm(process / "statm");
  long size = 0;
  statm >> size >> held.resident_pages;
  return held;
}

TEST(KeeperScale, AHundredGenerationsWithADeathInEachLeaveNothingBehind) {
  RunningNode node({.slots = 2, .job = "fake_step_ms: 1", .arena_bytes = 4 << 20});
  node.start_all();
  Holdings before;
  for (std::uint64_t generation = 1; generation <= 110; ++generation) {
    std::size_t seen = node.reports();
    node.begin(generation, {0, 1});
    node.await_step(generation, 2);
    if (generation == 10) before = holdings(node.keeper());
    seen = node.reports();
    ::kill(static_cast<pid_t>(node.child_named("phalanx-worker")), SIGKILL);
    node.controller().await([](const auto& report) { return report.has_worker_exited(); }, seen);
    node.abort(generation, -1);
    node.start_worker(0);
    node.start_worker(1);
    node.await_candidate(0, seen);
    node.await_candidate(1, seen);
  }
  const std::size_t seen = node.reports();
  node.begin(200, {0, 1});
  node.controller().await(
      [](const auto& report) { return report.worker_report().report().step().generation() == 200; },
      seen);
  const Holdings after = holdings(node.keeper());
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_LE(after.mappings, before.mappings + 2);
  EXPECT_LE(after.resident_pages, before.resident_pages + 512);  // 2 MiB, half an arena
}

}  // namespace
}  // namespace phalanx::node

#include "layout/schedule_simulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/layout/schedule_cases.h"

namespace phalanx::layout {
namespace {

Times uniform(const Schedule& schedule, const StageTimes& stage, std::int64_t transfer = 0) {
  return {std::vector<StageTimes>(static_cast<std::size_t>(schedule.stages()), stage), transfer};
}

struct PublishedRow {
  PipelineShape shape;
  int chunks = 1;  // of interleaved 1F1B
  double forward = 0, input = 0, weight = 0, transfer = 0;
  double bubble_1f1b = 0, bubble_interleaved = 0, bubble_zb_h1 = 0, bubble_zb_h2 = 0;
};

std::vector<PublishedRow> published() {
  std::ifstream file(PHALANX_SOURCE_DIR "/tests/layout/published/zero_bubble.csv");
  std::vector<PublishedRow> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#') || line.starts_with("model")) continue;
    std::istringstream cells(line);
    std::vector<std::string> cell;
    for (std::string text; std::getline(cells, text, ',');) cell.push_back(text);
    PublishedRow row;
    row.shape.ranks = std::stoi(cell.at(4));
    row.shape.micro_batches = std::stoi(cell.at(6));
    row.chunks = (std::stoi(cell.at(1)) + 2) / row.shape.ranks;
    double* const numbers[] = {&row.forward,      &row.input,       &row.weight,
                               &row.transfer,     &row.bubble_1f1b, &row.bubble_interleaved,
                               &row.bubble_zb_h1, &row.bubble_zb_h2};
    for (std::size_t i = 0; i < std::size(numbers); ++i) *numbers[i] = std::stod(cell.at(7 + i));
    rows.push_back(row);
  }
  return rows;
}

// Ticks of a microsecond / 12, so that the times of 2, 3 or 4 chunks are whole. A chunk takes its
// share of the stage's times; a transfer takes as long for a chunk as for a stage.
Timeline simulate_published(ScheduleKind kind, const PublishedRow& row, int chunks) {
  auto shape = row.shape;
  shape.chunks = chunks;
  const auto schedule = plain(kind, shape);
  const auto ticks = [](double ms) { return std::llround(ms * 1000) * 12; };
  return simulate(schedule, uniform(schedule,
                                    {ticks(row.forward) / chunks, ticks(row.input) / chunks,
                                     ticks(row.weight) / chunks},
                                    ticks(row.transfer)));
}

TEST(Simulator, GivesThePublishedBubblesOf1F1BAndZbH1ToFourDecimals) {
  const auto rows = published();
  ASSERT_EQ(rows.size(), 12U);
  for (const auto& row : rows) {
    EXPECT_NEAR(simulate_published(ScheduleKind::kOneFOneB, row, 1).bubble(), row.bubble_1f1b,
                0.5e-4 + 1e-9);
    EXPECT_NEAR(simulate_published(ScheduleKind::kZbH1, row, 1).bubble(), row.bubble_zb_h1,
                0.5e-4 + 1e-9);
  }
}

// ZB-H2 has no barrier behind a step: the ranks go on in the skew in which they began.
TEST(Simulator, GivesThePublishedBubblesOfInterleaved1F1BAndZbH2) {
  for (const auto& row : published()) {
    EXPECT_NEAR(simulate_published(ScheduleKind::kInterleaved, row, row.chunks).bubble(),
                row.bubble_interleaved, 0.004);
    EXPECT_NEAR(simulate_published(ScheduleKind::kZbH2, row, 1).bubble_without_barrier(),
                row.bubble_zb_h2, 0.004);
  }
}

struct Formula {
  std::int64_t p, m, f, b, w;
};
const Formula kFormulas[] = {
    {4, 8, 1, 1, 1}, {4, 16, 5, 6, 4}, {8, 24, 10, 10, 7}, {3, 9, 7, 7, 7}};

std::int64_t makespan(ScheduleKind kind, const Formula& of, int chunks = 1) {
  const auto schedule = plain(kind, {static_cast<int>(of.p), chunks, static_cast<int>(of.m)});
  return simulate(schedule, uniform(schedule, {of.f, of.b, of.w})).makespan;
}

TEST(Simulator, GivesTheMakespansOfThePapersFormulas) {
  for (const auto& of : kFormulas) {
    const auto work = of.m * (of.f + of.b + of.w);
    EXPECT_EQ(makespan(ScheduleKind::kGPipe, of), work + (of.p - 1) * (of.f + of.b + of.w));
    EXPECT_EQ(makespan(ScheduleKind::kOneFOneB, of), work + (of.p - 1) * (of.f + of.b + of.w));
    EXPECT_EQ(makespan(ScheduleKind::kZbH1, of), work + (of.p - 1) * (of.f + of.b - of.w));
  }
}

TEST(Simulator, ZbH2WithoutABarrierHasTheBubbleOfItsPaper) {
  for (const int p : {2, 4, 8})
    for (const auto& t : {StageTimes{1, 1, 1}, {10, 10, 7}, {10, 9, 5}}) {
      const auto schedule = plain(ScheduleKind::kZbH2, {p, 1, 3 * p});
      const auto work = 3 * p * (t.forward + t.backward_input + t.backward_weight);
      EXPECT_EQ(simulate(schedule, uniform(schedule, t)).longest_rank - work,
                (p - 1) * (t.forward + t.backward_input - 2 * t.backward_weight));
    }
}

// With several chunks the times are a chunk's.
TEST(Simulator, InterleavingDividesTheBubbleByTheChunks) {
  for (const int chunks : {2, 3, 4})
    for (const auto& of : {Formula{4, 8, 1, 1, 1}, {4, 16, 5, 6, 4}, {8, 24, 10, 10, 7}})
      EXPECT_EQ(makespan(ScheduleKind::kInterleaved, of, chunks),
                (chunks * of.m + of.p - 1) * (of.f + of.b + of.w));
}

TEST(Simulator, ZbVHasNoBubbleWithoutABarrierWhenAllPassesTakeTheSameTime) {
  for (const int ranks : {2, 4, 8}) {
    const auto schedule = plain(ScheduleKind::kZbV, {ranks, 2, 3 * ranks});
    const auto timeline = simulate(schedule, uniform(schedule, {1, 1, 1}));
    EXPECT_EQ(timeline.longest_rank, 6 * 3 * ranks);
    EXPECT_EQ(timeline.bubble_without_barrier(), 0);
  }
}

// With a barrier behind the step, and forward as long as backward-input.
TEST(Simulator, GivesTheBubblesOfTheVSchedules) {
  for (const int p : {2, 3, 4, 8})
    for (const auto& t : {StageTimes{1, 1, 1}, {10, 10, 7}, {20, 20, 19}}) {
      const auto work = 2 * 4 * p * (t.forward + t.backward_input + t.backward_weight);
      const auto bubble = [&](ScheduleKind kind) {
        const auto schedule = plain(kind, {p, 2, 4 * p});
        return simulate(schedule, uniform(schedule, t)).makespan - work;
      };
      EXPECT_EQ(bubble(ScheduleKind::kZbV), (p - 1) * t.backward_input);
      EXPECT_EQ(bubble(ScheduleKind::kDualPipeV),
                (p - 1) * (t.forward + t.backward_input - t.backward_weight));
    }
}

// Part of the messages' time that a step does not take longer for, where they take 30 % of a step
// on a link that is no limit.
double hidden(ScheduleKind kind, int micro_batches) {
  const auto schedule = plain(kind, {2, 1, micro_batches});
  const auto makespan = [&](double transfer) {
    constexpr std::int64_t kPass = 1'000'000;
    return static_cast<double>(
        simulate(schedule, uniform(schedule, {kPass, kPass, kPass}, std::llround(transfer)))
            .makespan);
  };
  const double communication = 0.3 * makespan(0);
  return 1 - (makespan(communication / micro_batches) - makespan(0)) / communication;
}

// What is left of eager 1F1B's is the first message and the last, of ZB-H2's the first: the last
// gradients of weights hide the last.
TEST(Simulator, SchedulesWithMoreForwardsUnderWayHideTheirMessages) {
  for (const int m : {8, 16}) {
    EXPECT_NEAR(hidden(ScheduleKind::kOneFOneB, m), 0, 1e-5);
    EXPECT_NEAR(hidden(ScheduleKind::kEager1F1B, m), 1 - 2.0 / m, 1e-5);
    EXPECT_LT(hidden(ScheduleKind::kZbH1, m), 0.42);
    EXPECT_NEAR(hidden(ScheduleKind::kZbH2, m), 1 - 1.0 / m, 1e-5);
  }
}

TEST(Simulator, AMessageTakesItsTimeFromTheEndOfAPassAndCostsNoRankAny) {
  const auto schedule = plain(ScheduleKind::kOneFOneB, {2, 1, 1});
  const auto timeline = simulate(schedule, uniform(schedule, {10, 20, 30}, 7));
  // forward 10, transfer 7, forward 10, backward 50, transfer 7, backward 50.
  EXPECT_EQ(timeline.makespan, 10 + 7 + 10 + 50 + 7 + 50);
  EXPECT_EQ(timeline.busy, (std::vector<std::int64_t>{60, 60}));
  EXPECT_EQ(timeline.longest_rank, timeline.makespan);
}

TEST(Simulator, RecomputeFillsTheWaitForTheGradient) {
  auto schedule = with_transfers(
      with_recompute(build_schedule(ScheduleKind::kOneFOneB, {2, 1, 1}), {true, false}));
  auto times = uniform(schedule, {10, 10, 10});
  times.stages[0].recompute = 10;
  EXPECT_EQ(simulate(schedule, times).makespan, 10 + 10 + 20 + 20);
}

TEST(Simulator, AGatherHidesBehindTheRunBeforeAndDelaysThePassThatNeedsIt) {
  auto schedule = with_transfers(with_sharding(build_schedule(ScheduleKind::kGPipe, {1, 2, 2}),
                                               ParameterPolicy::kPerRun, GradientPolicy::kPerRun));
  auto times = uniform(schedule, {10, 10, 10, 0, 5, 3});
  // The first gather is waited for, the three others run behind passes; the last reduce is waited
  // for. Both chunks' backward: one run, as forward of the last chunk goes over into backward.
  EXPECT_EQ(simulate(schedule, times).makespan, 5 + 2 * 2 * (10 + 20) + 3);
  for (auto& stage : times.stages) stage.gather = 45;
  // The second gather ends at 90, 25 after the first run of 20; the third hides behind 60 of
  // passes.
  EXPECT_EQ(simulate(schedule, times).makespan, 90 + 20 + 40 + 40 + 3);
}

TEST(Simulator, PassesOfARankNeverOverlapAndComeInTheOrderOfItsList) {
  for (const auto& each : schedule_cases()) {
    const auto schedule = full(each.kind, each.shape);
    const auto timeline = simulate(schedule, uniform(schedule, {7, 8, 5, 6, 9, 4}, 3));
    for (std::size_t rank = 0; rank < schedule.ranks.size(); ++rank) {
      std::int64_t end = 0;
      for (std::size_t i = 0; i < schedule.ranks[rank].size(); ++i) {
        if (!is_compute(schedule.ranks[rank][i].kind)) continue;
        EXPECT_GE(timeline.ranks[rank][i].start, end) << describe(each);
        end = timeline.ranks[rank][i].end;
      }
      EXPECT_LE(end, timeline.makespan);
    }
  }
}

TEST(Simulator, PeakActivationsAreInTheUnitOfTheMemoryGiven) {
  const auto schedule = plain(ScheduleKind::kZbH1, {4, 1, 8});
  const auto timeline = simulate(schedule, uniform(schedule, {}), {4, {100, 30, 0}});
  // Rank 0 holds four forwards. The last rank holds one at a time and, of the three whose weight
  // gradients are put off, what those need.
  EXPECT_EQ(timeline.peak_activations.front(), 400);
  EXPECT_EQ(timeline.peak_activations.back(), 100 + 3 * 30);
}

TEST(Simulator, ActivationsOverTimeRiseToThePeakAndEndAtNothing) {
  for (const auto& each : schedule_cases()) {
    const auto schedule = full(each.kind, each.shape);
    const std::vector<StageMemory> memory(static_cast<std::size_t>(schedule.stages()), {50, 20, 3});
    const auto timeline = simulate(schedule, uniform(schedule, {7, 8, 5, 6, 9, 4}, 3), memory);
    for (std::size_t rank = 0; rank < schedule.ranks.size(); ++rank) {
      const auto& levels = timeline.activations[rank];
      std::int64_t peak = 0;
      for (std::size_t i = 0; i < levels.size(); ++i) {
        peak = std::max(peak, levels[i].held);
        EXPECT_GE(levels[i].held, 0);
        EXPECT_GE(levels[i].from, i == 0 ? 0 : levels[i - 1].from);
      }
      EXPECT_EQ(peak, timeline.peak_activations[rank]) << describe(each);
      EXPECT_EQ(levels.back().held, 0) << describe(each);
    }
  }
}

}  // namespace
}  // namespace phalanx::layout

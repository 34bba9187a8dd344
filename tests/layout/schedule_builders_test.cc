#include "layout/schedule_builders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "layout/layout_error.h"
#include "layout/schedule_check.h"
#include "tests/layout/schedule_cases.h"

namespace phalanx::layout {
namespace {

using testing::HasSubstr;

std::string findings(const Schedule& schedule, const MemoryBound& bound = {}) {
  std::string text;
  for (const auto& finding : check_schedule(schedule, bound).findings)
    text += "rank " + std::to_string(finding.rank) + ": " + finding.text + "\n";
  return text;
}

TEST(Schedule, EveryOneIsProvenForAnyNumberOfRanksAndMicroBatches) {
  for (const auto& each : schedule_cases())
    EXPECT_EQ(findings(plain(each.kind, each.shape)), "") << describe(each);
}

TEST(Schedule, EveryOneComposesWithRecomputeAndEveryWayOfSharding) {
  for (const auto& each : schedule_cases())
    for (const auto parameters :
         {ParameterPolicy::kResident, ParameterPolicy::kHeldForStep, ParameterPolicy::kPerRun})
      for (const auto gradients :
           {GradientPolicy::kLocal, GradientPolicy::kOncePerStep, GradientPolicy::kPerRun}) {
        if (each.shape.ranks == 5 || each.shape.micro_batches > 8) continue;
        auto schedule = build_schedule(each.kind, each.shape);
        const auto stages = every_other_stage(schedule);
        schedule =
            with_sharding(with_recompute(std::move(schedule), stages), parameters, gradients);
        EXPECT_EQ(findings(with_transfers(std::move(schedule))), "") << describe(each);
      }
}

// The gradients of weights are made of what the other passes have kept.
TEST(Schedule, ARunOfWeightGradientsAloneGathersNothing) {
  const auto passes = build_schedule(ScheduleKind::kZbV, {4, 2, 12});
  const auto sharded = with_sharding(passes, ParameterPolicy::kPerRun, GradientPolicy::kPerRun);
  int spared = 0;
  for (std::size_t rank = 0; rank < passes.ranks.size(); ++rank) {
    int runs = 0, using_parameters = 0, chunk = -1;
    bool used = true;
    for (const auto& pass : passes.ranks[rank]) {
      if (pass.chunk != chunk) used = false, ++runs, chunk = pass.chunk;
      if (!used && pass.kind != OperationKind::kBackwardWeight) used = true, ++using_parameters;
    }
    EXPECT_EQ(std::ranges::count(sharded.ranks[rank], OperationKind::kGather, &Operation::kind),
              using_parameters);
    spared += runs - using_parameters;
  }
  EXPECT_GT(spared, 0);
}

std::int64_t peak(ScheduleKind kind, const PipelineShape& shape) {
  const auto peaks = check_schedule(plain(kind, shape)).peak_activations;
  return *std::max_element(peaks.begin(), peaks.end());
}

// In chunks of micro-batches; a chunk of two holds half the layers of a chunk of one.
TEST(Schedule, HoldsTheActivationsOfItsPaper) {
  for (const int p : {2, 4, 8}) {
    EXPECT_EQ(peak(ScheduleKind::kGPipe, {p, 1, 40}), 40);
    EXPECT_EQ(peak(ScheduleKind::kOneFOneB, {p, 1, 40}), p);
    EXPECT_EQ(peak(ScheduleKind::kEager1F1B, {p, 1, 40}), 2 * p - 1);
    EXPECT_EQ(peak(ScheduleKind::kZbH1, {p, 1, 40}), p);
    EXPECT_EQ(peak(ScheduleKind::kZbH2, {p, 1, 40}), 2 * p - 1);
    EXPECT_EQ(peak(ScheduleKind::kInterleaved, {p, 2, 40}), 3 * p - 1);
    EXPECT_EQ(peak(ScheduleKind::kZbV, {p, 2, 40}), 2 * p);
    EXPECT_EQ(peak(ScheduleKind::kDualPipeV, {p, 2, 40}), 2 * p + 1);
  }
}

TEST(Schedule, ZeroBubbleSchedulesReallySplitEveryBackwardPass) {
  for (const auto kind : {ScheduleKind::kZbH1, ScheduleKind::kZbH2, ScheduleKind::kZbV})
    for (const auto& list : build_schedule(kind, {4, chunk_counts(kind)[0], 12}).ranks) {
      const auto count = [&](OperationKind pass) {
        return std::count_if(list.begin(), list.end(),
                             [&](const auto& operation) { return operation.kind == pass; });
      };
      EXPECT_EQ(count(OperationKind::kBackward), 0);
      EXPECT_EQ(count(OperationKind::kBackwardInput), count(OperationKind::kForward));
      EXPECT_EQ(count(OperationKind::kBackwardWeight), count(OperationKind::kForward));
    }
}

TEST(Schedule, RefusesANumberOfChunksThatItDoesNotHaveWithTheNearest) {
  const auto refusal = [](ScheduleKind kind, int chunks) {
    try {
      build_schedule(kind, {4, chunks, 8});
    } catch (const LayoutError& error) {
      return std::string(error.what()) + "; " + error.help();
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal(ScheduleKind::kOneFOneB, 2),
            "parallel.virtual_stages: expected exactly 1 for the schedule 1F1B, found 2; "
            "parallel.virtual_stages of 1 would fit; 2 virtual stages fit the schedules gpipe, "
            "interleaved_1f1b, zb_v, dualpipe_v");
  EXPECT_THAT(refusal(ScheduleKind::kInterleaved, 1), HasSubstr("expected at least 2"));
  EXPECT_THAT(refusal(ScheduleKind::kZbV, 1), HasSubstr("expected exactly 2"));
  EXPECT_THAT(refusal(ScheduleKind::kDualPipeV, 3),
              HasSubstr("3 virtual stages fit the schedules gpipe, interleaved_1f1b"));
}

TEST(Schedule, NamesAreThoseOfAJob) {
  for (const auto kind : kEveryKind) {
    if (kind == ScheduleKind::kNoPipeline) continue;
    EXPECT_EQ(schedule_kind(job_name(kind)), kind);
  }
  EXPECT_THROW(schedule_kind(""), LayoutError);
  try {
    schedule_kind("eager");
    ADD_FAILURE() << "no schedule is called that";
  } catch (const LayoutError& error) {
    EXPECT_EQ(error.help(), "1f1b fits every pipeline");
  }
}

}  // namespace
}  // namespace phalanx::layout

#pragma once

#include <string>
#include <vector>

#include "layout/schedule_builders.h"
#include "layout/schedule_passes.h"

namespace phalanx::layout {

struct ScheduleCase {
  ScheduleKind kind;
  PipelineShape shape;
};

inline constexpr ScheduleKind kEveryKind[] = {
    ScheduleKind::kGPipe,       ScheduleKind::kOneFOneB,  ScheduleKind::kEager1F1B,
    ScheduleKind::kInterleaved, ScheduleKind::kZbH1,      ScheduleKind::kZbH2,
    ScheduleKind::kZbV,         ScheduleKind::kDualPipeV, ScheduleKind::kNoPipeline};

// Numbers of chunks that a schedule has, of those up to 4.
inline std::vector<int> chunk_counts(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kGPipe:
      return {1, 2, 3};
    case ScheduleKind::kInterleaved:
      return {2, 3, 4};
    case ScheduleKind::kZbV:
    case ScheduleKind::kDualPipeV:
      return {2};
    default:
      return {1};
  }
}

// Every schedule with few and many ranks and micro-batches, multiples of each other or not.
inline std::vector<ScheduleCase> schedule_cases() {
  std::vector<ScheduleCase> cases;
  for (const auto kind : kEveryKind)
    for (const int chunks : chunk_counts(kind))
      for (const int ranks : {1, 2, 3, 4, 5, 8})
        for (const int micro_batches : {1, 2, 3, 4, 7, 8, 13, 16, 24})
          cases.push_back({kind, {ranks, chunks, micro_batches}});
  return cases;
}

inline std::string describe(const ScheduleCase& of) {
  return std::string(build_schedule(of.kind, of.shape).name) + ", " +
         std::to_string(of.shape.ranks) + " ranks, " + std::to_string(of.shape.chunks) +
         " chunks, " + std::to_string(of.shape.micro_batches) + " micro-batches";
}

// Ready to be executed, with nothing but messages added.
inline Schedule plain(ScheduleKind kind, const PipelineShape& shape) {
  return with_transfers(build_schedule(kind, shape));
}

inline std::vector<bool> every_other_stage(const Schedule& schedule) {
  std::vector<bool> stages(static_cast<std::size_t>(schedule.stages()));
  for (std::size_t i = 0; i < stages.size(); i += 2) stages[i] = true;
  return stages;
}

// With recompute in every other stage, parameters gathered and gradients reduced for each run.
inline Schedule full(ScheduleKind kind, const PipelineShape& shape) {
  auto schedule = build_schedule(kind, shape);
  const auto stages = every_other_stage(schedule);
  return with_transfers(with_sharding(with_recompute(std::move(schedule), stages),
                                      ParameterPolicy::kPerRun, GradientPolicy::kPerRun));
}

}  // namespace phalanx::layout

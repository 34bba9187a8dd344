#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/job.h"
#include "layout/partition.h"
#include "layout/schedule.h"
#include "planner/state_memory.h"
#include "planner/step_shape.h"
#include "planner/traffic.h"

namespace phalanx::planner {

// The groups along an axis: the ranks of a group are `stride` apart, and every rank is in one.
struct AxisGroups {
  std::string axis;
  int ranks = 1;  // of a group
  int groups = 1, stride = 1;
};

struct Memory {
  StateMemory state;
  // At the peak of the step (planner/activations.h), where all experts get equally many tokens; and
  // where those of this rank get as many as can come to them.
  std::int64_t activations = 0, activations_most = 0;

  std::int64_t total() const { return state.total() + activations; }
  std::int64_t most() const { return state.total() + activations_most; }
};

// Ranks for which all numbers are the same: they differ in data and context, and in those places on
// the tensor axis that hold equally many words of the vocabulary.
struct RankClass {
  int pipeline = 0;
  std::vector<int> tensor;
  int ranks = 1;
  int first_rank = 0;
  Memory memory;
  Traffic sent;
};

// What a job will need, before a process is started.
struct Plan {
  layout::Partition partition;
  StepShape step;
  layout::Schedule schedule;
  std::vector<AxisGroups> axes;
  std::vector<RankClass> classes;  // by pipeline rank
  double bubble = 0;               // part of the time that ranks wait, if FLOPs alone took time

  const RankClass& largest() const;  // by the most memory
};

// `job.model.vocab_size` is resolved. Costs grow with the length of the schedule and the stages,
// and hardly with data-parallel ranks. Throws LayoutError.
Plan plan(const config::Job& job);

// The step as `draw_schedule` draws it (layout/schedule_drawing.h): bars as long as their FLOPs,
// activations in bytes.
std::string draw(const config::Job& job, const Plan& plan);

}  // namespace phalanx::planner

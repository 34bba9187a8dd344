#include <algorithm>

#include "layout/schedule_passes.h"

namespace phalanx::layout {
namespace {

// A series of neighbouring passes through one chunk: [first, last) of a rank's list.
struct Run {
  int chunk;
  std::size_t first, last;
  bool has_weight_gradients, uses_parameters;
};

bool gives_weight_gradients(OperationKind kind) {
  return kind == OperationKind::kBackward || kind == OperationKind::kBackwardWeight;
}

std::vector<Run> runs_of(const std::vector<Operation>& passes) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < passes.size(); ++i) {
    if (runs.empty() || runs.back().chunk != passes[i].chunk)
      runs.push_back({passes[i].chunk, i, i, false, false});
    runs.back().last = i + 1;
    runs.back().has_weight_gradients |= gives_weight_gradients(passes[i].kind);
    runs.back().uses_parameters |= uses_parameters(passes[i].kind);
  }
  return runs;
}

// Where each policy acts, by run.
struct Plan {
  std::vector<bool> gather, free, reduce;
};

Plan plan(const std::vector<Run>& runs, ParameterPolicy parameters, GradientPolicy gradients) {
  const std::size_t count = runs.size();
  Plan plan{std::vector<bool>(count), std::vector<bool>(count), std::vector<bool>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    const auto uses = [&](const Run& other) {
      return other.chunk == runs[i].chunk && other.uses_parameters;
    };
    const auto adds = [&](const Run& other) {
      return other.chunk == runs[i].chunk && other.has_weight_gradients;
    };
    const auto here = runs.begin() + static_cast<std::ptrdiff_t>(i);
    const bool first_use = std::none_of(runs.begin(), here, uses);
    const bool last_use = std::none_of(here + 1, runs.end(), uses);
    const bool last_gradient = std::none_of(here + 1, runs.end(), adds);
    const bool each = parameters == ParameterPolicy::kPerRun;
    const bool held = parameters == ParameterPolicy::kHeldForStep;
    plan.gather[i] = runs[i].uses_parameters && (each || (held && first_use));
    plan.free[i] = runs[i].uses_parameters && (each || (held && last_use));
    plan.reduce[i] = runs[i].has_weight_gradients &&
                     (gradients == GradientPolicy::kPerRun ||
                      (gradients == GradientPolicy::kOncePerStep && last_gradient));
  }
  return plan;
}

}  // namespace

Schedule with_sharding(Schedule schedule, ParameterPolicy parameters, GradientPolicy gradients) {
  schedule.parameters = parameters;
  schedule.gradients = gradients;
  for (auto& list : schedule.ranks) {
    const auto runs = runs_of(list);
    const auto [gather, free, reduce] = plan(runs, parameters, gradients);
    std::vector<Operation> result;
    const auto add = [&](bool wanted, OperationKind kind, int chunk) {
      if (wanted) result.push_back({kind, -1, chunk});
    };
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto& run = runs[i];
      add(i == 0 && gather[i], OperationKind::kGather, run.chunk);
      if (i + 1 < runs.size()) add(gather[i + 1], OperationKind::kGather, runs[i + 1].chunk);
      result.insert(result.end(), list.begin() + static_cast<std::ptrdiff_t>(run.first),
                    list.begin() + static_cast<std::ptrdiff_t>(run.last));
      add(reduce[i], OperationKind::kReduce, run.chunk);
      add(free[i], OperationKind::kFree, run.chunk);
    }
    list = std::move(result);
  }
  return schedule;
}

}  // namespace phalanx::layout

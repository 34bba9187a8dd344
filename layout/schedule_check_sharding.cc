#include <fmt/format.h>

#include <algorithm>

#include "layout/schedule_check_rank.h"

namespace phalanx::layout {
namespace {

class Reporter {
 public:
  Reporter(Rule rule, int rank, std::vector<Finding>& findings)
      : rule_(rule), rank_(rank), findings_(findings) {}
  void expect(bool holds, std::size_t index, const Operation& operation, const char* expected) {
    if (!holds)
      findings_.push_back(
          {rule_, rank_,
           fmt::format("operation {}, {}: expected {}", index, text(operation), expected)});
  }
  void expect(bool holds, int chunk, const char* expected) {
    if (!holds)
      findings_.push_back({rule_, rank_, fmt::format("chunk {}: expected {}", chunk, expected)});
  }

 private:
  Rule rule_;
  int rank_;
  std::vector<Finding>& findings_;
};

bool gives_weight_gradients(OperationKind kind) {
  return kind == OperationKind::kBackward || kind == OperationKind::kBackwardWeight;
}

}  // namespace

int check_parameters(const Schedule& schedule, int rank, std::vector<Finding>& findings) {
  const auto& list = schedule.ranks[static_cast<std::size_t>(rank)];
  const bool resident = schedule.parameters == ParameterPolicy::kResident;
  Reporter report(Rule::kParameters, rank, findings);
  const auto chunks = static_cast<std::size_t>(schedule.chunks);
  std::vector<bool> held(chunks, resident);
  std::vector<int> gathers(chunks, 0);
  int peak = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto& operation = list[i];
    const auto chunk = static_cast<std::size_t>(operation.chunk);
    if (operation.kind == OperationKind::kGather) {
      report.expect(!held[chunk], i, operation, "parameters that are not held already");
      held[chunk] = true;
      ++gathers[chunk];
      peak = std::max(peak, static_cast<int>(std::count(held.begin(), held.end(), true)));
    } else if (operation.kind == OperationKind::kFree) {
      report.expect(held[chunk] && !resident, i, operation, "gathered parameters");
      held[chunk] = false;
    } else if (uses_parameters(operation.kind)) {
      report.expect(held[chunk], i, operation, "its parameters gathered before");
    }
  }
  const bool one_gather = schedule.parameters == ParameterPolicy::kHeldForStep;
  for (int chunk = 0; chunk < schedule.chunks; ++chunk) {
    const auto c = static_cast<std::size_t>(chunk);
    report.expect(resident || !held[c], chunk, "its parameters freed at the end");
    report.expect(!one_gather || gathers[c] == 1, chunk, "one gather a step");
  }
  report.expect(schedule.parameters != ParameterPolicy::kPerRun || peak <= 2, 0,
                "no more than two chunks' parameters at once");
  return peak;
}

void check_gradients(const Schedule& schedule, int rank, std::vector<Finding>& findings) {
  const auto& list = schedule.ranks[static_cast<std::size_t>(rank)];
  Reporter report(Rule::kGradients, rank, findings);
  const auto chunks = static_cast<std::size_t>(schedule.chunks);
  std::vector<bool> owed(chunks, false);
  std::vector<int> reduces(chunks, 0);
  const bool local = schedule.gradients == GradientPolicy::kLocal;
  const bool per_run = schedule.gradients == GradientPolicy::kPerRun;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto& operation = list[i];
    const auto chunk = static_cast<std::size_t>(operation.chunk);
    if (operation.kind == OperationKind::kReduce) {
      report.expect(owed[chunk], i, operation, "gradients since the last reduce");
      owed[chunk] = false;
      ++reduces[chunk];
    } else if (is_compute(operation.kind)) {
      for (std::size_t other = 0; per_run && other < chunks; ++other)
        report.expect(other == chunk || !owed[other], i, operation,
                      "gradients of the chunk before reduced first");
      if (gives_weight_gradients(operation.kind)) owed[chunk] = true;
    }
  }
  for (int chunk = 0; chunk < schedule.chunks; ++chunk) {
    const auto c = static_cast<std::size_t>(chunk);
    report.expect(local || !owed[c], chunk, "a reduce after its last gradient");
    report.expect(per_run || reduces[c] == (local ? 0 : 1), chunk,
                  local ? "no reduce without other ranks" : "one reduce a step");
  }
}

}  // namespace phalanx::layout

#include "layout/schedule_builders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/nearest_name.h"
#include "layout/layout_error.h"

namespace phalanx::layout {
namespace {

struct Row {
  ScheduleKind kind;
  const char* job_name;
  const char* title;
  Placement placement;
  int fewest_chunks, most_chunks;  // 0: any number
};
constexpr std::array kRows{
    Row{ScheduleKind::kGPipe, "gpipe", "GPipe", Placement::kLoop, 1, 0},
    Row{ScheduleKind::kOneFOneB, "1f1b", "1F1B", Placement::kLoop, 1, 1},
    Row{ScheduleKind::kEager1F1B, "eager_1f1b", "eager 1F1B", Placement::kLoop, 1, 1},
    Row{ScheduleKind::kInterleaved, "interleaved_1f1b", "interleaved 1F1B", Placement::kLoop, 2, 0},
    Row{ScheduleKind::kZbH1, "zb_h1", "ZB-H1", Placement::kLoop, 1, 1},
    Row{ScheduleKind::kZbH2, "zb_h2", "ZB-H2", Placement::kLoop, 1, 1},
    Row{ScheduleKind::kZbV, "zb_v", "ZB-V", Placement::kV, 2, 2},
    Row{ScheduleKind::kDualPipeV, "dualpipe_v", "DualPipeV", Placement::kV, 2, 2},
    Row{ScheduleKind::kNoPipeline, "", "no pipeline", Placement::kLoop, 1, 0},
};

const Row& row(ScheduleKind kind) {
  return *std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.kind == kind; });
}

void check_chunks(const Row& row, int chunks) {
  const bool too_few = chunks < row.fewest_chunks;
  const bool too_many = row.most_chunks != 0 && chunks > row.most_chunks;
  if (!too_few && !too_many) return;
  std::string others;
  for (const auto& other : kRows)
    if (*other.job_name != 0 && chunks >= other.fewest_chunks &&
        (other.most_chunks == 0 || chunks <= other.most_chunks))
      others += fmt::format("{}{}", others.empty() ? "" : ", ", other.job_name);
  throw LayoutError(
      fmt::format("parallel.virtual_stages: expected {} {} for the schedule {}, found {}",
                  row.most_chunks == 0 ? "at least" : "exactly", row.fewest_chunks, row.title,
                  chunks),
      fmt::format("parallel.virtual_stages of {} would fit; {} virtual stage{} fit{} the "
                  "schedule{} {}",
                  row.fewest_chunks, chunks, chunks == 1 ? "" : "s", chunks == 1 ? "s" : "",
                  others.find(',') == std::string::npos ? "" : "s", others));
}

std::vector<Operation> passes_of(ScheduleKind kind, const PipelineShape& shape, int rank) {
  switch (kind) {
    case ScheduleKind::kGPipe:
      return schedules::gpipe(shape);
    case ScheduleKind::kOneFOneB:
      return schedules::one_f_one_b(shape, rank, 1);
    case ScheduleKind::kEager1F1B:
      return schedules::one_f_one_b(shape, rank, 2);
    case ScheduleKind::kInterleaved:
      return schedules::interleaved(shape, rank);
    case ScheduleKind::kZbH1:
      return schedules::zero_bubble(shape, rank, 1);
    case ScheduleKind::kZbH2:
      return schedules::zero_bubble(shape, rank, 2);
    case ScheduleKind::kZbV:
      return schedules::zb_v(shape, rank);
    case ScheduleKind::kDualPipeV:
      return schedules::dualpipe_v(shape, rank);
    case ScheduleKind::kNoPipeline:
      return schedules::no_pipeline(shape);
  }
  return {};
}

// The next number of micro-batches that the schedule's own definition has.
int defined_micro_batches(ScheduleKind kind, const PipelineShape& shape) {
  switch (kind) {
    case ScheduleKind::kInterleaved:
      return (shape.micro_batches + shape.ranks - 1) / shape.ranks * shape.ranks;
    case ScheduleKind::kZbV:
      return std::max(shape.micro_batches, 2 * shape.ranks - 1);
    case ScheduleKind::kDualPipeV:
      return std::max(shape.micro_batches, 2 * shape.ranks);
    default:
      return shape.micro_batches;
  }
}

}  // namespace

const char* job_name(ScheduleKind kind) { return row(kind).job_name; }

ScheduleKind schedule_kind(std::string_view job_name) {
  std::vector<std::string> names;
  for (const auto& row : kRows) {
    if (*row.job_name == 0) continue;
    if (row.job_name == job_name) return row.kind;
    names.emplace_back(row.job_name);
  }
  const auto near = nearest_name(job_name, names);
  throw LayoutError(
      fmt::format("parallel.schedule: expected one of {}, found {}", fmt::join(names, ", "),
                  job_name),
      near.empty() ? "1f1b fits every pipeline" : fmt::format("did you mean `{}`?", near));
}

Placement placement(ScheduleKind kind) { return row(kind).placement; }

Schedule build_forward_schedule(Placement placement, const PipelineShape& shape) {
  auto schedule = build_schedule(ScheduleKind::kGPipe, shape);
  schedule.name = "forward only";
  schedule.placement = placement;
  for (auto& passes : schedule.ranks)
    std::erase_if(passes, [](const Operation& operation) { return is_backward(operation.kind); });
  return schedule;
}

Schedule build_schedule(ScheduleKind kind, const PipelineShape& shape) {
  check(shape.ranks >= 1 && shape.chunks >= 1 && shape.micro_batches >= 1,
        "a pipeline has ranks, chunks and micro-batches");
  check_chunks(row(kind), shape.chunks);
  Schedule schedule;
  schedule.name = row(kind).title;
  schedule.placement = row(kind).placement;
  schedule.chunks = shape.chunks;
  schedule.micro_batches = shape.micro_batches;
  schedule.recomputed.assign(
      static_cast<std::size_t>(shape.ranks) * static_cast<std::size_t>(shape.chunks), false);
  PipelineShape defined = shape;
  defined.micro_batches = defined_micro_batches(kind, shape);
  for (int rank = 0; rank < shape.ranks; ++rank) {
    auto passes = passes_of(kind, defined, rank);
    std::erase_if(passes, [&](const Operation& operation) {
      return operation.micro_batch >= shape.micro_batches;
    });
    schedule.ranks.push_back(std::move(passes));
  }
  return schedule;
}

}  // namespace phalanx::layout

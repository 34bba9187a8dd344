#include "layout/schedule_gallery.h"

#include "layout/schedule_builders.h"
#include "layout/schedule_drawing.h"
#include "layout/schedule_passes.h"
#include "layout/schedule_simulator.h"

namespace phalanx::layout {
namespace {

constexpr int kRanks = 4, kMicroBatches = 8;

Times times(const Schedule& schedule, const StageTimes& stage) {
  return {std::vector<StageTimes>(static_cast<std::size_t>(schedule.stages()), stage), 0};
}

GalleryDrawing plain(ScheduleKind kind, int chunks, const char* file) {
  const auto schedule = with_transfers(build_schedule(kind, {kRanks, chunks, kMicroBatches}));
  const std::int64_t pass = 2 / chunks;
  return {file, draw_schedule(schedule, simulate(schedule, times(schedule, {pass, pass, pass})))};
}

// Two chunks a rank, all recomputed, gathered and reduced for each run. A recomputed stage keeps a
// tenth of its activations.
GalleryDrawing composed() {
  auto schedule = build_schedule(ScheduleKind::kInterleaved, {kRanks, 2, kMicroBatches});
  schedule.name += " with recompute and ZeRO-3";
  const std::vector<bool> all(static_cast<std::size_t>(schedule.stages()), true);
  schedule = with_transfers(with_sharding(with_recompute(std::move(schedule), all),
                                          ParameterPolicy::kPerRun, GradientPolicy::kPerRun));
  const StageTimes stage{10, 10, 10, 10, 12, 12};
  const std::vector<StageMemory> memory(all.size(), {10, 5, 1});
  return {"composed.svg",
          draw_schedule(schedule, simulate(schedule, times(schedule, stage), memory))};
}

}  // namespace

std::vector<GalleryDrawing> schedule_gallery() {
  return {plain(ScheduleKind::kGPipe, 1, "gpipe.svg"),
          plain(ScheduleKind::kOneFOneB, 1, "1f1b.svg"),
          plain(ScheduleKind::kEager1F1B, 1, "eager_1f1b.svg"),
          plain(ScheduleKind::kInterleaved, 2, "interleaved_1f1b.svg"),
          plain(ScheduleKind::kZbH1, 1, "zb_h1.svg"),
          plain(ScheduleKind::kZbH2, 1, "zb_h2.svg"),
          plain(ScheduleKind::kZbV, 2, "zb_v.svg"),
          plain(ScheduleKind::kDualPipeV, 2, "dualpipe_v.svg"),
          composed()};
}

}  // namespace phalanx::layout

#include "layout/step_schedule.h"

#include "base/check.h"
#include "layout/recompute.h"
#include "layout/schedule_check.h"
#include "layout/schedule_passes.h"

namespace phalanx::layout {
namespace {

PipelineShape shape(const Partition& partition, int micro_batches) {
  return {partition.map.ranks, partition.map.chunks, micro_batches};
}

// ZeRO-1 and 2 gather parameters when they have changed, not for passes.
ParameterPolicy parameter_policy(const config::Parallel& parallel) {
  if (parallel.zero_stage < 3) return ParameterPolicy::kResident;
  return parallel.zero_gather == "step" ? ParameterPolicy::kHeldForStep : ParameterPolicy::kPerRun;
}

std::vector<bool> recomputed_stages(const config::Parallel& parallel, const Partition& partition) {
  std::vector<bool> stages;
  for (int stage = 0; stage < partition.map.stages(); ++stage)
    stages.push_back(recompute_of(parallel, stage) == Recompute::kFull);
  return stages;
}

// How many messages may be under way beyond those that must: a sender is seldom held up then.
constexpr std::size_t kSlack = 2;

Schedule finished(Schedule schedule) {
  schedule = with_transfers(std::move(schedule));
  schedule.unreceived = channel_capacity(schedule) + kSlack;
  return schedule;
}

}  // namespace

GradientPolicy gradient_policy(const config::Parallel& parallel) {
  return parallel.zero_stage >= 2 ? GradientPolicy::kPerRun : GradientPolicy::kOncePerStep;
}

Schedule step_schedule(const config::Job& job, const Partition& partition, int micro_batches) {
  auto schedule = build_schedule(partition.schedule, shape(partition, micro_batches));
  if (recomputes(job.parallel, Recompute::kFull))
    schedule = with_recompute(std::move(schedule), recomputed_stages(job.parallel, partition));
  schedule = finished(with_sharding(std::move(schedule), parameter_policy(job.parallel),
                                    gradient_policy(job.parallel)));
  check(check_schedule(schedule).proven(), "a schedule is complete, ordered and free of deadlock");
  return schedule;
}

Schedule validation_schedule(const config::Job& job, const Partition& partition,
                             int micro_batches) {
  auto schedule = build_forward_schedule(partition.map.placement, shape(partition, micro_batches));
  return finished(
      with_sharding(std::move(schedule), parameter_policy(job.parallel), GradientPolicy::kLocal));
}

}  // namespace phalanx::layout

#include "layout/partition.h"

#include "layout/mesh_fit.h"
#include "layout/micro_batch_shape.h"
#include "layout/recompute.h"

namespace phalanx::layout {
namespace {

bool holds_layers_apart(const config::Parallel& parallel) {
  return parallel.zero_stage >= 2 || recomputes(parallel, Recompute::kFull);
}

int chunks_of(const config::Job& job, ScheduleKind schedule) {
  if (schedule != ScheduleKind::kNoPipeline) return static_cast<int>(job.parallel.virtual_stages);
  return holds_layers_apart(job.parallel) ? static_cast<int>(job.model.layers) + 2 : 1;
}

}  // namespace

double attention_flops(const config::Model& model) {
  return 2.0 * static_cast<double>(model.width * model.sequence_length);
}

PartCosts forward_flops(const config::Model& model) {
  PartCosts costs{0, 0, 0};
  for (const auto& spec : tensor_specs(model)) {
    auto flops = 2.0 * static_cast<double>(spec.elements());
    if (spec.expert >= 0)  // of an even load
      flops *= static_cast<double>(model.experts_per_token) / static_cast<double>(model.experts);
    if (spec.layer == 0) costs.layer += flops;
    if (spec.layer == model.layers || spec.tied) costs.head += flops;
  }
  costs.layer += attention_flops(model);
  return costs;
}

Partition partition(const config::Job& job) {
  const Mesh mesh(fit_mesh(job.parallel, job.ranks()));
  check_model_fits(job.model, job.parallel);
  const auto schedule =
      mesh.sizes().pipeline == 1 ? ScheduleKind::kNoPipeline : schedule_kind(job.parallel.schedule);
  const StageMap map{placement(schedule), mesh.sizes().pipeline, chunks_of(job, schedule)};
  build_schedule(schedule, {map.ranks, map.chunks, 1});  // refuses a number of chunks it has not
  return {mesh,
          schedule,
          map,
          split_layers(job.model.layers, map.stages(), forward_flops(job.model)),
          static_cast<int>(job.parallel.zero_stage),
          job.parallel.context_attention == "ulysses",
          micro_batch_shape(job, mesh.sizes()).expert_chunks};
}

}  // namespace phalanx::layout

#include "planner/plan.h"

#include <algorithm>
#include <map>

#include "layout/expert_memory.h"
#include "layout/recompute.h"
#include "layout/saved_bytes.h"
#include "layout/schedule_drawing.h"
#include "layout/schedule_memory.h"
#include "layout/schedule_simulator.h"
#include "layout/step_schedule.h"
#include "planner/activations.h"
#include "planner/step_times.h"

namespace phalanx::planner {
namespace {

using layout::Axis;

std::vector<AxisGroups> axes_of(const layout::Mesh& mesh) {
  struct Named {
    const char* name;
    Axis axis;
  };
  static constexpr Named kNamed[] = {{"pipeline", Axis::kPipeline},
                                     {"data", Axis::kData},
                                     {"context", Axis::kContext},
                                     {"tensor", Axis::kTensor},
                                     {"expert", Axis::kExpert}};
  std::vector<AxisGroups> axes;
  for (const auto& [name, axis] : kNamed) {
    const auto group = mesh.group(0, axis);
    const auto ranks = static_cast<int>(group.size());
    axes.push_back({name, ranks, mesh.ranks() / ranks, ranks > 1 ? group[1] - group[0] : 1});
  }
  return axes;
}

// Places on the tensor axis by the words that they hold of the vocabulary.
std::map<std::int64_t, std::vector<int>> tensor_classes(const config::Model& model, int ranks) {
  std::map<std::int64_t, std::vector<int>> classes;
  for (int rank = 0; rank < ranks; ++rank)
    classes[layout::MicroBatchShape{1, 1, ranks, rank}.words(model.vocab_size)].push_back(rank);
  return classes;
}

std::vector<layout::StageMemory> stage_memories(const config::Job& job, const Plan& plan,
                                                layout::MicroBatchShape shape) {
  const auto each = layout::element_bytes(job);
  std::vector<layout::StageMemory> memories;
  for (int stage = 0; stage < plan.partition.map.stages(); ++stage) {
    shape.attention_recomputed =
        layout::recompute_of(job.parallel, stage) == layout::Recompute::kSelective;
    memories.push_back(layout::stage_memory(
        job.model, plan.partition.stages[static_cast<std::size_t>(stage)], shape, each));
  }
  return memories;
}

RankClass rank_class(const config::Job& job, const Plan& plan, int pipeline,
                     const std::vector<int>& tensor) {
  const auto& sizes = plan.partition.mesh.sizes();
  RankClass found{pipeline, tensor, static_cast<int>(tensor.size()) * sizes.data * sizes.context};
  found.first_rank = plan.partition.mesh.rank({pipeline, 0, 0, tensor.front()});
  const auto buckets =
      layout::buckets(job.model, plan.partition, found.first_rank, layout::kBucketBytes);
  found.memory.state = state_memory(job, buckets, plan.schedule, pipeline);
  found.sent = traffic(job, plan.partition, buckets, plan.schedule, pipeline, plan.step);
  return found;
}

}  // namespace

const RankClass& Plan::largest() const {
  return *std::ranges::max_element(classes, {},
                                   [](const RankClass& each) { return each.memory.most(); });
}

Plan plan(const config::Job& job) {
  auto partition = layout::partition(job);
  const auto sizes = partition.mesh.sizes();
  const auto step = step_shape(job, sizes);
  auto schedule = layout::step_schedule(job, partition, step.micro_batches);
  Plan plan{std::move(partition), step, std::move(schedule)};
  plan.axes = axes_of(plan.partition.mesh);
  for (const auto& [words, places] : tensor_classes(job.model, sizes.tensor)) {
    auto shape = plan.step.micro_batch;
    shape.tensor_rank = places.front();
    const auto peaks = step_activations(job, plan.partition, plan.schedule, step, shape);
    shape.expert_rows = layout::most_expert_rows(job.model, shape);
    const auto most = step_activations(job, plan.partition, plan.schedule, step, shape);
    for (int pipeline = 0; pipeline < sizes.pipeline; ++pipeline) {
      plan.classes.push_back(rank_class(job, plan, pipeline, places));
      auto& memory = plan.classes.back().memory;
      memory.activations = peaks[static_cast<std::size_t>(pipeline)];
      memory.activations_most = most[static_cast<std::size_t>(pipeline)];
    }
  }
  std::ranges::sort(plan.classes, {}, &RankClass::first_rank);
  plan.bubble = layout::simulate(plan.schedule, step_times(job, plan.partition)).bubble();
  return plan;
}

std::string draw(const config::Job& job, const Plan& plan) {
  const auto memories = stage_memories(job, plan, plan.step.micro_batch);
  return layout::draw_schedule(
      plan.schedule, layout::simulate(plan.schedule, step_times(job, plan.partition), memories));
}

}  // namespace phalanx::planner

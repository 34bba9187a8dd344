#include "tests/runtime/planned_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace phalanx::runtime {

config::Job PlannedLayout::of(config::Job job) const {
  job.model.preset = preset;
  job.data.attention_mask = mask;
  job.model.ffn_width = ffn_width;
  job.model.vocab_size = vocabulary;
  if (job.model.preset == "gpt2") job.model.kv_heads = job.model.heads;
  if (job.model.preset == "mixtral" || job.model.preset == "qwen_moe") {
    job.model.experts = 4;
    job.model.experts_per_token = 2;
    job.model.router.balance_loss = 0.05;
  }
  if (job.model.preset == "qwen_moe") job.model.expert_width = job.model.ffn_width / 2;
  job.model.sequence_length = length;
  job.train.precision = precision;
  auto& parallel = job.parallel;
  parallel.tensor = tensor;
  parallel.pipeline = pipeline;
  parallel.context = context;
  parallel.expert = expert;
  parallel.zero_stage = zero_stage;
  parallel.schedule = schedule;
  parallel.virtual_stages = virtual_stages;
  parallel.recompute = recompute;
  parallel.gradient_wire = wire;
  parallel.context_attention = exchange;
  job.launch.ranks_per_node = data * tensor * pipeline * context;
  return job;
}

std::ostream& operator<<(std::ostream& out, const PlannedLayout& l) {
  return out << l.preset << " data " << l.data << " tensor " << l.tensor << " pipeline "
             << l.pipeline << " context " << l.context << ' ' << l.exchange << " expert "
             << l.expert << " zero " << l.zero_stage << ' ' << l.precision << " wire " << l.wire
             << ' ' << l.schedule << " x" << l.virtual_stages << " ffn " << l.ffn_width << " words "
             << l.vocabulary << ' ' << l.mask << " length " << l.length << " recompute "
             << fmt::format("{}", fmt::join(l.recompute, ", "));
}

const planner::RankClass& class_of(const planner::Plan& plan, int rank) {
  const auto at = plan.partition.mesh.coordinates(rank);
  const auto found = std::ranges::find_if(plan.classes, [&](const planner::RankClass& each) {
    return each.pipeline == at.pipeline && std::ranges::count(each.tensor, at.tensor) == 1;
  });
  check(found != plan.classes.end(), "a plan speaks for every rank");
  return *found;
}

}  // namespace phalanx::runtime

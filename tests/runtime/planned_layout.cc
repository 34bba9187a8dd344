#include "tests/runtime/planned_layout.h"

#include <string>

namespace phalanx::runtime {

config::Job PlannedLayout::of(config::Job job) const {
  job.model.preset = preset;
  if (job.model.preset == "gpt2") job.model.kv_heads = job.model.heads;
  if (job.model.preset == "mixtral" || job.model.preset == "qwen_moe") {
    job.model.experts = 4;
    job.model.experts_per_token = 2;
    job.model.router.balance_loss = 0.05;
  }
  if (job.model.preset == "qwen_moe") job.model.expert_width = job.model.ffn_width / 2;
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
             << ' ' << l.schedule << " x" << l.virtual_stages << " recompute " << l.recompute;
}

}  // namespace phalanx::runtime

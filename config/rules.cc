#include "config/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "config/wording.h"

namespace phalanx::config {
namespace {

class Rules {
 public:
  Rules(const Place& file, Findings& findings) : file_(file), findings_(findings) {}

  // Whether the values of all these keys can be used.
  bool known(std::initializer_list<std::string> paths) const {
    return std::none_of(paths.begin(), paths.end(),
                        [&](const auto& path) { return findings_.has_problem(path); });
  }

  void report(const std::string& path, std::string message, std::string help) {
    const auto* place = findings_.find(path);
    findings_.report(place ? *place : file_, path, std::move(message), std::move(help));
  }

 private:
  const Place& file_;
  Findings& findings_;
};

// The multiples of `unit` on both sides of `number`: "252 or 256".
std::string multiples_around(std::int64_t number, std::int64_t unit) {
  const auto below = number / unit * unit;
  if (below == 0) return std::to_string(unit);
  return fmt::format("{} or {}", below, below + unit);
}

std::string divisors(std::int64_t number) {
  std::vector<std::string> all;
  for (std::int64_t i = 1; i <= number; ++i)
    if (number % i == 0) all.push_back(std::to_string(i));
  return either(all);
}

// What the preset cannot heed is refused, not ignored.
void check_gpt2(const Model& model, Rules& rules) {
  if (rules.known({"model.heads", "model.kv_heads"}) && model.kv_heads != model.heads &&
      model.heads % model.kv_heads == 0)
    rules.report("model.kv_heads",
                 fmt::format("expected model.heads = {} with the preset gpt2, found {}",
                             model.heads, model.kv_heads),
                 "GPT-2 has no grouped-query attention; `preset: llama` has");
  if (rules.known({"model.rope_theta"}) && model.rope_theta != Model().rope_theta)
    rules.report("model.rope_theta",
                 "expected none with the preset gpt2, which learns its positions",
                 "leave the key out, or choose `preset: llama`");
}

// The keys of experts, where there are none.
void check_dense(const Model& model, Rules& rules) {
  const std::pair<std::string, bool> keys[] = {
      {"model.experts", model.experts != 0},
      {"model.experts_per_token", model.experts_per_token != 0},
      {"model.expert_width", model.expert_width != 0},
      {"model.router", model.router != Router()}};
  for (const auto& [path, used] : keys)
    if (used && rules.known({path}))
      rules.report(path, "expected none with the preset " + model.preset + ", which has no experts",
                   "leave the key out, or choose `preset: mixtral` or `qwen_moe`");
}

void check_experts(const Model& model, Rules& rules) {
  const bool known = rules.known({"model.experts"});
  if (known && model.experts == 0)
    rules.report("model.experts",
                 "expected at least 1 with the preset " + model.preset + ", found 0",
                 "say how many experts a layer has, and model.experts_per_token");
  else if (known && rules.known({"model.experts_per_token"}) &&
           (model.experts_per_token < 1 || model.experts_per_token > model.experts))
    rules.report("model.experts_per_token",
                 fmt::format("expected 1 to model.experts = {}, found {}", model.experts,
                             model.experts_per_token),
                 "each token is sent to that many experts");
  if (!rules.known({"model.expert_width"})) return;
  const bool has_own_width = model.preset == "qwen_moe";
  if (has_own_width && model.expert_width == 0)
    rules.report("model.expert_width", "expected at least 1 with the preset qwen_moe, found 0",
                 "the width of a routed expert; model.ffn_width is that of the shared one");
  else if (!has_own_width && model.expert_width != 0)
    rules.report("model.expert_width", "expected none with the preset " + model.preset,
                 "leave the key out: model.ffn_width is the width of its experts");
}

bool has_experts(const Model& model) {
  return model.preset == "mixtral" || model.preset == "qwen_moe";
}

void check_model(const Model& model, Rules& rules) {
  const bool heads_known = rules.known({"model.heads"});
  const bool width_known = rules.known({"model.width"}) && heads_known;
  if (width_known && model.width % model.heads != 0)
    rules.report(
        "model.width",
        fmt::format("expected a multiple of model.heads = {}, found {}", model.heads, model.width),
        multiples_around(model.width, model.heads) + " would fit");
  else if (width_known && model.preset != "gpt2" && model.width / model.heads % 2 != 0)
    rules.report("model.width",
                 fmt::format("expected an even width per head, found {} / {} heads = {}",
                             model.width, model.heads, model.width / model.heads),
                 "rotary embeddings turn channels in pairs; " +
                     multiples_around(model.width, 2 * model.heads) + " would fit");
  if (heads_known && rules.known({"model.kv_heads"}) && model.heads % model.kv_heads != 0)
    rules.report("model.kv_heads",
                 fmt::format("expected a divisor of model.heads = {}, found {}", model.heads,
                             model.kv_heads),
                 divisors(model.heads) + " would fit");
  if (model.preset == "gpt2") check_gpt2(model, rules);
  if (!rules.known({"model.preset"})) return;
  has_experts(model) ? check_experts(model, rules) : check_dense(model, rules);
}

void check_train(const Train& train, Rules& rules) {
  if (rules.known({"train.micro_batch", "train.global_batch"}) &&
      train.micro_batch > train.global_batch)
    rules.report("train.micro_batch",
                 fmt::format("expected at most train.global_batch = {}, found {}",
                             train.global_batch, train.micro_batch),
                 "a step is cut into micro-batches, so a micro-batch cannot be larger");
  const auto& schedule = train.lr_schedule;
  if (rules.known({"train.lr_schedule.warmup", "train.steps"}) && schedule.warmup > train.steps)
    rules.report(
        "train.lr_schedule.warmup",
        fmt::format("expected at most train.steps = {}, found {}", train.steps, schedule.warmup),
        "the learning rate would never reach train.optimizer.lr");
  if (rules.known({"train.lr_schedule.min_lr", "train.optimizer.lr"}) &&
      schedule.min_lr > train.optimizer.lr)
    rules.report("train.lr_schedule.min_lr",
                 fmt::format("expected at most train.optimizer.lr = {}, found {}",
                             number_text(train.optimizer.lr), number_text(schedule.min_lr)),
                 "the learning rate falls from lr to min_lr");
}

void check_parallel(const Parallel& parallel, Rules& rules) {
  if (rules.known({"parallel.zero_stage", "parallel.zero_gather"}) &&
      parallel.zero_gather == "step" && parallel.zero_stage != 3)
    rules.report("parallel.zero_gather",
                 fmt::format("expected none with parallel.zero_stage {}", parallel.zero_stage),
                 "only ZeRO-3 gathers weights for passes; leave the key out, or set "
                 "parallel.zero_stage to 3");
}

void check_launch(const Launch& launch, Rules& rules) {
  if (!rules.known({"launch.emulate_nodes"}) || launch.emulate_link.bandwidth == 0) return;
  if (launch.emulate_nodes == 1)
    rules.report("launch.emulate_link", "expected launch.emulate_nodes above 1, found 1",
                 "a link is emulated between emulated nodes; leave the section out otherwise");
  else if (rules.known({"launch.backend"}) && launch.backend != "native")
    rules.report("launch.emulate_link", "expected launch.backend native, found " + launch.backend,
                 "only that backend can be slowed; leave the section out otherwise");
}

}  // namespace

void report_broken_rules(const Job& job, const Place& file, Findings& findings) {
  Rules rules(file, findings);
  check_model(job.model, rules);
  check_train(job.train, rules);
  check_parallel(job.parallel, rules);
  check_launch(job.launch, rules);
}

}  // namespace phalanx::config

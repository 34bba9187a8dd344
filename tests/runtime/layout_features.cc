#include "tests/runtime/layout_cases.h"

namespace phalanx::runtime {
namespace {

using Value = Feature::Value;

// Numbers for a key of the job.
template <class Key>
std::vector<Value> numbers(const std::vector<std::int64_t>& values, const Key& key) {
  std::vector<Value> all;
  for (const auto value : values)
    all.push_back({std::to_string(value), [=](config::Job& job) { key(job) = value; }});
  return all;
}

// Where there is nothing to choose.
Value none() {
  return {"none", [](config::Job&) {}};
}

Value schedule(const char* name, std::int64_t virtual_stages) {
  return {name, [=](config::Job& job) {
            job.parallel.schedule = name;
            job.parallel.virtual_stages = virtual_stages;
          }};
}

Value exchange(const char* name) {
  return {name, [=](config::Job& job) { job.parallel.context_attention = name; }};
}

// The last holds what it has gathered for the step.
std::vector<Value> zero_stages() {
  auto stages =
      numbers({0, 1, 2, 3}, [](config::Job& job) -> auto& { return job.parallel.zero_stage; });
  stages.push_back({"3 for the step", [](config::Job& job) {
                      job.parallel.zero_stage = 3;
                      job.parallel.zero_gather = "step";
                    }});
  return stages;
}

Value recompute(const char* name) {
  return {name, [=](config::Job& job) { job.parallel.recompute = {name}; }};
}

// One after the other in the stages, whose number is known by now.
Value mixed_recompute() {
  return {"mixed", [](config::Job& job) {
            static constexpr const char* kWords[] = {"full", "none", "selective"};
            const auto& parallel = job.parallel;
            const auto stages =
                parallel.pipeline == 1 ? 1 : parallel.pipeline * parallel.virtual_stages;
            job.parallel.recompute.clear();
            for (std::int64_t stage = 0; stage < stages; ++stage)
              job.parallel.recompute.push_back(kWords[stage % 3]);
          }};
}

Value dense(const char* preset) {
  return {preset, [=](config::Job& job) {
            job.model.preset = preset;
            job.model.experts = job.model.experts_per_token = 0;
          }};
}

// As many experts as 1, 2 and 3 ranks divide.
Value of_experts(const char* preset, std::int64_t expert_width) {
  return {preset, [=](config::Job& job) {
            job.model.preset = preset;
            job.model.experts = 6;
            job.model.experts_per_token = 2;
            job.model.expert_width = expert_width;
          }};
}

Value mask(const char* name) {
  return {name, [=](config::Job& job) { job.data.attention_mask = name; }};
}

Value balance(const char* name, double loss, double bias) {
  return {name, [=](config::Job& job) { job.model.router = {"preset", loss, bias}; }};
}

}  // namespace

const std::vector<Feature>& features() {
  using Job = config::Job;
  static const std::vector<Feature> all{
      {"data", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.data; })},
      {"tensor", numbers({1, 2, 4}, [](Job& job) -> auto& { return job.parallel.tensor; })},
      {"pipeline", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.pipeline; })},
      {"schedule",
       {none(), schedule("gpipe", 2), schedule("1f1b", 1), schedule("eager_1f1b", 1),
        schedule("interleaved_1f1b", 2), schedule("zb_h1", 1), schedule("zb_h2", 1),
        schedule("zb_v", 2), schedule("dualpipe_v", 2)}},
      {"context", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.context; })},
      {"exchange", {none(), exchange("ring"), exchange("ulysses")}},
      {"zero", zero_stages()},
      {"recompute",
       {recompute("none"), recompute("selective"), recompute("full"), mixed_recompute()}},
      {"preset",
       {of_experts("mixtral", 0), of_experts("qwen_moe", 24), dense("llama"), dense("gpt2")}},
      {"expert", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.expert; })},
      // Five tokens: a micro-batch goes in several.
      {"chunk",
       numbers({1024, 5}, [](Job& job) -> auto& { return job.parallel.expert_chunk_tokens; })},
      {"balance", {balance("none", 0, 0), balance("loss", 0.05, 0), balance("bias", 0, 0.01)}},
      {"mask", {mask("causal"), mask("document")}},
      // Grouped queries, and fewer key-value heads than tensor ranks.
      {"kv_heads", numbers({4, 2, 1}, [](Job& job) -> auto& { return job.model.kv_heads; })},
      {"vocabulary", numbers({264, 257}, [](Job& job) -> auto& { return job.model.vocab_size; })},
      {"layers", numbers({5, 4}, [](Job& job) -> auto& { return job.model.layers; })},
      // Seven are no multiple of anything.
      {"batch", numbers({12, 7}, [](Job& job) -> auto& { return job.train.global_batch; })}};
  return all;
}

}  // namespace phalanx::runtime

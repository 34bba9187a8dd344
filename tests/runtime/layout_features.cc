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

Value schedule(const char* name, std::int64_t virtual_stages) {
  return {name, [=](config::Job& job) {
            job.parallel.schedule = name;
            job.parallel.virtual_stages = virtual_stages;
          }};
}

Value exchange(const char* name) {
  return {name, [=](config::Job& job) { job.parallel.context_attention = name; }};
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

// A preset of experts is a row here, and "expert" a feature.
Value preset(const char* name) {
  return {name, [=](config::Job& job) { job.model.preset = name; }};
}

}  // namespace

const std::vector<Feature>& features() {
  using Job = config::Job;
  static const std::vector<Feature> all{
      {"data", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.data; })},
      {"tensor", numbers({1, 2, 4}, [](Job& job) -> auto& { return job.parallel.tensor; })},
      {"pipeline", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.pipeline; })},
      {"schedule",
       {schedule("none", 1), schedule("gpipe", 2), schedule("1f1b", 1),
        schedule("interleaved_1f1b", 2), schedule("zb_h1", 1), schedule("zb_v", 2),
        schedule("dualpipe_v", 2)}},
      {"context", numbers({1, 2, 3}, [](Job& job) -> auto& { return job.parallel.context; })},
      {"exchange", {exchange("none"), exchange("ring"), exchange("ulysses")}},
      {"zero", numbers({0, 1, 2, 3}, [](Job& job) -> auto& { return job.parallel.zero_stage; })},
      {"recompute",
       {recompute("none"), recompute("selective"), recompute("full"), mixed_recompute()}},
      {"preset", {preset("llama"), preset("gpt2")}},
      // Grouped queries, and fewer key-value heads than tensor ranks.
      {"kv_heads", numbers({4, 2, 1}, [](Job& job) -> auto& { return job.model.kv_heads; })},
      {"vocabulary", numbers({264, 257}, [](Job& job) -> auto& { return job.model.vocab_size; })},
      {"layers", numbers({5, 4}, [](Job& job) -> auto& { return job.model.layers; })},
      // Seven are no multiple of anything.
      {"batch", numbers({12, 7}, [](Job& job) -> auto& { return job.train.global_batch; })}};
  return all;
}

}  // namespace phalanx::runtime

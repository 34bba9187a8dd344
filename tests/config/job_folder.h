#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "config/load.h"

namespace phalanx::config {

// The example of the design, with every key.
constexpr auto kExample = R"(name: tiny-code-model
seed: 1
model:      {preset: llama, layers: 4, width: 256, heads: 4, kv_heads: 2, ffn_width: 704, sequence_length: 256, vocab_size: auto}
data:       {tokenizer: bytes, train: [{path: corpus/train.tokens, weight: 1.0}], validation: {path: corpus/validation.tokens, every: 50, batches: 8}}
train:      {steps: 200, global_batch: 16, micro_batch: 4, precision: fp32,
             optimizer: {name: adamw, lr: 3e-4, betas: [0.9, 0.95], weight_decay: 0.1, clip_norm: 1.0},
             lr_schedule: {name: cosine, warmup: 10, min_lr: 3e-5}}
parallel:   {data: auto, tensor: 1, pipeline: 1, context: 1, expert: 1, zero_stage: 0,
             schedule: 1f1b, virtual_stages: 1, recompute: none}
checkpoint: {every: 50, keep: 3}
recovery:   {snapshot_every: 1}
launch:     {device: cpu, backend: native, ranks_per_node: 4, threads_per_rank: 1, emulate_nodes: 1}
output:     runs/tiny-code-model
)";

// No more than a job needs.
constexpr auto kSmallest = R"(name: small
model:
  layers: 4
  width: 256
  heads: 4
  kv_heads: 2
  ffn_width: 704
  sequence_length: 256
data:
  train:
    - path: train.tokens
train:
  steps: 200
  global_batch: 16
output: run
)";

// For GoogleTest's messages.
inline void PrintTo(const ConfigProblem& problem, std::ostream* out) { *out << problem.text(); }

// A folder of its own with job files, gone at the end.
class JobFolder {
 public:
  JobFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "config_test.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  JobFolder(const JobFolder&) = delete;
  JobFolder& operator=(const JobFolder&) = delete;
  ~JobFolder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& text, const std::string& name = "job.yaml") const {
    std::filesystem::remove(path_ / name);  // ext4 flushes a file that is written over
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path(name);
  }
  LoadedJob load(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return load_job(write(text), overrides);
  }
  // What is wrong with the job; the folder's own path is left out of the texts.
  std::vector<ConfigProblem> problems(const std::string& text,
                                      const std::vector<std::string>& overrides = {}) const {
    return problems_of(write(text), overrides);
  }
  std::vector<ConfigProblem> problems_of(const std::string& file,
                                         const std::vector<std::string>& overrides = {}) const {
    try {
      load_job(file, overrides);
      return {};
    } catch (const ConfigError& error) {
      auto problems = error.problems();
      for (auto& problem : problems)
        if (problem.place.source.starts_with(path_.string()))
          problem.place.source.erase(0, path_.string().size() + 1);
      return problems;
    }
  }

 private:
  std::filesystem::path path_;
};

// `text` with the first `from` replaced.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace phalanx::config

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// A job as plain structs, as config/job.proto describes it field by field (meaning, default,
// range): validated once by config/load.h, and handed down in parts. Paths are absolute. Names and
// order follow job.proto; the enums hold the values that work today, the schema refuses the others
// by name.
namespace phalanx::config {

struct Router {
  std::string weights = "preset";
  double balance_loss = 0.01;
  double bias_balancing = 0;

  bool operator==(const Router&) const = default;
};

struct Model {
  std::string preset = "llama";
  std::int64_t layers = 0;
  std::int64_t width = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t ffn_width = 0;
  std::int64_t sequence_length = 0;
  std::int64_t vocab_size = 0;  // 0: auto, the tokenizer's
  double rope_theta = 10000.0;
  double norm_epsilon = 1e-5;
  std::int64_t experts = 0;  // 0: a dense model
  std::int64_t experts_per_token = 0;
  std::int64_t expert_width = 0;
  Router router;
};

struct Dataset {
  std::string path;
  double weight = 1.0;
};

struct Validation {
  std::string path;          // empty: no validation
  std::int64_t every = 0;    // steps; 0: only after the last
  std::int64_t batches = 0;  // global batches
};

struct Data {
  std::string tokenizer = "bytes";
  std::vector<Dataset> train;
  Validation validation;
  std::string attention_mask = "causal";
};

struct Optimizer {
  std::string name = "adamw";
  double lr = 0;
  double beta1 = 0, beta2 = 0;  // `betas: [beta1, beta2]`
  double epsilon = 1e-8;
  double weight_decay = 0;
  double clip_norm = 0;  // 0: no clipping
};

struct LrSchedule {
  std::string name = "cosine";
  std::int64_t warmup = 0;  // steps
  double min_lr = 0;
};

struct Train {
  std::int64_t steps = 0;
  std::int64_t global_batch = 0;  // sequences a step
  std::int64_t micro_batch = 0;   // sequences of one forward and backward, per rank
  std::string precision = "fp32";
  Optimizer optimizer;
  LrSchedule lr_schedule;
};

struct Parallel {
  std::int64_t data = 0;  // 0: auto, all ranks
  std::int64_t tensor = 1, pipeline = 1, context = 1, expert = 1, zero_stage = 0;
  std::string zero_gather = "run";
  std::string schedule = "1f1b";
  std::int64_t virtual_stages = 1;
  std::vector<std::string> recompute = {"none"};  // one value, or one for each stage
  std::string gradient_wire = "fp32";
  std::string context_attention = "ring";
  std::int64_t expert_chunk_tokens = 1024;
};

struct Checkpoint {
  std::int64_t every = 0;  // steps; 0: only after the last
  std::int64_t keep = 0;   // newest kept
};

struct Recovery {
  std::int64_t snapshot_every = 1;
};

struct Link {
  double bandwidth = 0;  // Gbit/s; 0: as fast as it goes
  double latency = 0;    // microseconds
};

struct Launch {
  std::string device = "cpu";
  std::string backend = "native";
  std::int64_t ranks_per_node = 1;
  std::int64_t threads_per_rank = 1;
  std::int64_t emulate_nodes = 1;
  Link emulate_link;
};

struct Job {
  std::string name;
  std::uint64_t seed = 1;
  Model model;
  Data data;
  Train train;
  Parallel parallel;
  Checkpoint checkpoint;
  Recovery recovery;
  Launch launch;
  std::string output;  // a folder

  std::int64_t ranks() const { return launch.ranks_per_node * launch.emulate_nodes; }
};

}  // namespace phalanx::config

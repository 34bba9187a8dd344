#include "launcher/cli/plan_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launcher/cli/resolve.h"
#include "layout/tensor_spec.h"

namespace phalanx::launcher {
namespace {

using Json = nlohmann::ordered_json;
using planner::AxisGroups;
using planner::Plan;
using planner::RankClass;

std::string bytes_text(std::int64_t bytes) {
  struct Unit {
    double bytes;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}};
  const auto number = static_cast<double>(bytes);
  for (const auto& unit : kUnits)
    if (number >= unit.bytes) return fmt::format("{:.2f} {}", number / unit.bytes, unit.name);
  return fmt::format("{} B", bytes);
}

std::string count(std::int64_t number, const char* what, const char* plural = "s") {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : plural);
}

// "0, 8, 16, ... 1016": the group of rank 0.
std::string group_text(const AxisGroups& axis) {
  constexpr int kShown = 3;
  std::string text = "0";
  for (int i = 1; i < std::min(axis.ranks, kShown); ++i)
    text += fmt::format(", {}", i * axis.stride);
  if (axis.ranks > kShown)
    text += fmt::format(", {}{}", axis.ranks > kShown + 1 ? "... " : "",
                        (axis.ranks - 1) * axis.stride);
  return text;
}

std::string mesh_text(const Plan& plan) {
  const int ranks = plan.partition.mesh.ranks();
  std::string text = fmt::format("mesh: {}\n", count(ranks, "rank"));
  for (const auto& axis : plan.axes) {
    if (axis.ranks == 1) continue;
    text += fmt::format("  {:<9}{:>6} ranks in each of {}, {} apart: {}{}\n", axis.axis, axis.ranks,
                        count(axis.groups, "group"), axis.stride, group_text(axis),
                        axis.groups > 1 ? "; ..." : "");
  }
  return text;
}

std::string step_text(const config::Job& job, const Plan& plan) {
  const auto& shape = plan.step.micro_batch;
  const auto name = layout::job_name(plan.partition.schedule);
  std::string text = fmt::format("step: {} of {} x {} tokens a rank",
                                 count(plan.step.micro_batches, "micro-batch", "es"),
                                 shape.sequences, shape.length);
  if (plan.partition.mesh.sizes().pipeline > 1)
    text += fmt::format("; schedule {}, {} a rank, ranks wait {:.1f}% of the time", name,
                        count(plan.partition.map.chunks, "stage"), 100 * plan.bubble);
  return text + fmt::format("; ZeRO {}, recompute {}, {}\n", job.parallel.zero_stage,
                            fmt::join(job.parallel.recompute, ", "), job.train.precision);
}

// "embedding, layers 0-3" of neighbouring stages.
std::string parts_text(const layout::StageLayers& parts) {
  std::vector<std::string> names;
  if (parts.embedding) names.push_back("embedding");
  if (parts.last - parts.first == 1) names.push_back(fmt::format("layer {}", parts.first));
  if (parts.last - parts.first > 1)
    names.push_back(fmt::format("layers {}-{}", parts.first, parts.last - 1));
  if (parts.head) names.push_back("head");
  return fmt::format("{}", fmt::join(names, ", "));
}

// Chunk by chunk; where a rank has the stages one after the other they are told as one.
std::string held_text(const Plan& plan, int pipeline) {
  const auto& map = plan.partition.map;
  std::vector<layout::StageLayers> runs;
  int before = -1;
  for (int chunk = 0; chunk < map.chunks; ++chunk) {
    const int stage = map.stage(pipeline, chunk);
    const auto& parts = plan.partition.stages[static_cast<std::size_t>(stage)];
    if (before >= 0 && stage == before + 1) {
      if (parts.last > parts.first && runs.back().first == runs.back().last)
        runs.back().first = parts.first;
      runs.back().last = std::max(runs.back().last, parts.last);
      runs.back().head |= parts.head;
    } else {
      runs.push_back(parts);
    }
    before = stage;
  }
  std::vector<std::string> texts;
  for (const auto& run : runs) texts.push_back(parts_text(run));
  return fmt::format("{}", fmt::join(texts, "; "));
}

std::string tensor_part_text(const config::Model& model, int ranks) {
  const auto words = model.vocab_size / ranks;
  const auto channels = model.experts > 0 ? std::string("all of its experts")
                                          : fmt::format("{} of {} channels",
                                                        model.ffn_width / ranks, model.ffn_width);
  return fmt::format(
      "  of each matrix a tensor rank has a part: {} of {} heads, {} of {} key-value heads, {}, "
      "{}{} words of {}\n",
      model.heads / ranks, model.heads, std::max<std::int64_t>(1, model.kv_heads / ranks),
      model.kv_heads, channels, words,
      model.vocab_size % ranks == 0 ? "" : fmt::format(" or {}", words + 1), model.vocab_size);
}

std::string expert_part_text(const config::Model& model, int ranks) {
  return fmt::format("  of each layer's experts an expert rank has {} of {}; {} for a token\n",
                     model.experts / ranks, model.experts, model.experts_per_token);
}

// What ZeRO leaves a rank of the matrices' state.
std::string shard_text(std::int64_t zero_stage, int ranks) {
  static constexpr const char* kSharded[] = {"", "optimizer state", "optimizer state and gradients",
                                             "optimizer state, gradients and parameters"};
  if (zero_stage == 0 || ranks == 1) return {};
  return fmt::format("  of {} of its matrices a rank has the slice that is 1 of {}\n",
                     kSharded[zero_stage], ranks);
}

std::string holders_text(const config::Job& job, const Plan& plan) {
  const auto& sizes = plan.partition.mesh.sizes();
  std::string text = "who holds what:\n";
  for (int pipeline = 0; pipeline < sizes.pipeline; ++pipeline)
    text += fmt::format("  {}: {}\n",
                        sizes.pipeline > 1 ? fmt::format("pipeline {}", pipeline) : "every rank",
                        held_text(plan, pipeline));
  if (sizes.tensor > 1) text += tensor_part_text(job.model, sizes.tensor);
  if (job.model.experts > 0) text += expert_part_text(job.model, sizes.expert);
  return text + shard_text(job.parallel.zero_stage, sizes.data * sizes.context);
}

// "0-3, 5".
std::string ranges_text(const std::vector<int>& numbers) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < numbers.size();) {
    auto end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    ranges.push_back(end - i == 1 ? std::to_string(numbers[i])
                                  : fmt::format("{}-{}", numbers[i], numbers[end - 1]));
    i = end;
  }
  return fmt::format("{}", fmt::join(ranges, ","));
}

std::string place_text(const Plan& plan, const RankClass& of) {
  const auto& sizes = plan.partition.mesh.sizes();
  std::string text = sizes.pipeline > 1 ? fmt::format("pipeline {}", of.pipeline) : "every rank";
  if (static_cast<int>(of.tensor.size()) < sizes.tensor)
    text += fmt::format(", tensor {}", ranges_text(of.tensor));
  return text;
}

// Rows of equally many cells, the first column to the left.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    text += fmt::format("  {:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) text += fmt::format("  {:>{}}", row[i], widths[i]);
    text += '\n';
  }
  return text;
}

// A column: what it comes to if the tokens of all ranks choose this rank's experts.
constexpr const char* kAllTokens = "if all tokens come";

std::string memory_text(const Plan& plan, bool experts) {
  std::vector<std::vector<std::string>> rows{
      {"", "ranks", "parameters", "gradients", "optimizer", "activations", "in all"}};
  for (const auto& each : plan.classes) {
    const auto& state = each.memory.state;
    rows.push_back({place_text(plan, each), std::to_string(each.ranks),
                    bytes_text(state.parameters), bytes_text(state.gradients),
                    bytes_text(state.optimizer), bytes_text(each.memory.activations),
                    bytes_text(each.memory.total())});
    if (experts) rows.back().push_back(bytes_text(each.memory.most()));
  }
  if (experts) rows.front().push_back(kAllTokens);
  return "memory of a rank:\n" + table(rows);
}

std::string traffic_text(const Plan& plan, bool experts) {
  std::vector<std::vector<std::string>> rows{
      {"", "tensor", "context", "expert", "pipeline", "data", "in all"}};
  for (const auto& each : plan.classes) {
    const auto& sent = each.sent;
    rows.push_back({place_text(plan, each), bytes_text(sent.tensor), bytes_text(sent.context),
                    bytes_text(sent.expert), bytes_text(sent.pipeline), bytes_text(sent.data),
                    bytes_text(sent.total())});
    if (experts) rows.back().push_back(bytes_text(sent.most()));
  }
  if (experts) rows.front().push_back(kAllTokens);
  return "sent by a rank in a step, along:\n" + table(rows);
}

Json mesh_json(const Plan& plan) {
  Json axes = Json::array();
  for (const auto& [axis, ranks, groups, stride] : plan.axes)
    axes.push_back({{"axis", axis}, {"ranks", ranks}, {"groups", groups}, {"stride", stride}});
  return {{"ranks", plan.partition.mesh.ranks()}, {"axes", axes}};
}

Json stages_json(const Plan& plan) {
  Json stages = Json::array();
  for (int stage = 0; stage < plan.partition.map.stages(); ++stage) {
    const auto& [first, last, embedding, head] =
        plan.partition.stages[static_cast<std::size_t>(stage)];
    stages.push_back({{"stage", stage},
                      {"pipeline", plan.partition.map.rank_of(stage)},
                      {"chunk", plan.partition.map.chunk_of(stage)},
                      {"first_layer", first},
                      {"layers", last - first},
                      {"embedding", embedding},
                      {"head", head}});
  }
  return stages;
}

Json class_json(const RankClass& of) {
  const auto& state = of.memory.state;
  return {{"pipeline", of.pipeline},
          {"tensor", of.tensor},
          {"ranks", of.ranks},
          {"first_rank", of.first_rank},
          {"bytes",
           {{"parameters", state.parameters},
            {"gradients", state.gradients},
            {"optimizer", state.optimizer},
            {"activations", of.memory.activations},
            {"total", of.memory.total()},
            {"activations_most", of.memory.activations_most},
            {"most", of.memory.most()}}},
          {"sent_bytes_per_step",
           {{"tensor", of.sent.tensor},
            {"context", of.sent.context},
            {"expert", of.sent.expert},
            {"pipeline", of.sent.pipeline},
            {"data", of.sent.data},
            {"total", of.sent.total()},
            {"expert_most", of.sent.expert_most},
            {"most", of.sent.most()}}}};
}

}  // namespace

std::string plan_text(const config::Job& job, const Plan& plan) {
  return fmt::format("{}: {} {}\n", job.name, job.model.preset, parameters_text(job)) +
         mesh_text(plan) + step_text(job, plan) + holders_text(job, plan) +
         memory_text(plan, job.model.experts > 0) + traffic_text(plan, job.model.experts > 0);
}

Json plan_json(const config::Job& job, const Plan& plan) {
  Json classes = Json::array();
  for (const auto& each : plan.classes) classes.push_back(class_json(each));
  return {{"name", job.name},
          {"parameters", layout::parameter_count(layout::tensor_specs(job.model))},
          {"mesh", mesh_json(plan)},
          {"step",
           {{"micro_batches", plan.step.micro_batches},
            {"sequences", plan.step.micro_batch.sequences},
            {"tokens_per_sequence", plan.step.micro_batch.length}}},
          {"schedule", plan.schedule.name},
          {"bubble", plan.bubble},
          {"stages", stages_json(plan)},
          {"ranks", classes},
          {"largest_rank_bytes", plan.largest().memory.total()},
          {"largest_rank_bytes_most", plan.largest().memory.most()}};
}

}  // namespace phalanx::launcher

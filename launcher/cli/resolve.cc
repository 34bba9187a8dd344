#include "launcher/cli/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/config_error.h"
#include "data/batch.h"
#include "data/error.h"
#include "data/token_file.h"
#include "data/tokenizer.h"
#include "launcher/cli/shown_path.h"
#include "layout/partition.h"
#include "layout/tensor_spec.h"
#include "planner/plan.h"

namespace phalanx::launcher {

namespace {

void fill_in_vocabulary(config::LoadedJob& loaded, const data::Tokenizer& tokenizer) {
  auto& rows = loaded.job.model.vocab_size;
  if (rows == 0) rows = tokenizer.vocab_size();
  if (rows >= tokenizer.vocab_size()) return;
  const auto setting =
      std::ranges::find(loaded.settings, "model.vocab_size", &config::Setting::path);
  throw config::ConfigError(
      {{.place = {.source = setting->origin},
        .path = setting->path,
        .message = fmt::format("expected at least {}, what the tokenizer {} needs, found {}",
                               tokenizer.vocab_size(), tokenizer.name(), rows),
        .help = "write `vocab_size: auto`"}});
}

}  // namespace

void resolve_vocabulary(config::LoadedJob& loaded) {
  fill_in_vocabulary(loaded, *data::make_tokenizer(loaded.job.data.tokenizer));
}

void resolve(config::LoadedJob& loaded) {
  auto& job = loaded.job;
  const auto tokenizer = data::make_tokenizer(job.data.tokenizer);
  fill_in_vocabulary(loaded, *tokenizer);
  std::string wrong, help;
  const auto open = [&](const std::string& path, const std::string& key) {
    try {
      data::TokenFile file(path);
      file.require_tokenizer(*tokenizer);
      const data::Batches long_enough(std::move(file), job.model.sequence_length, job.seed);
    } catch (const data::DataError& error) {
      const auto setting = std::ranges::find(loaded.settings, key, &config::Setting::path);
      wrong += fmt::format("{}{}: {}: {}", wrong.empty() ? "" : "\nerror: ", setting->origin, key,
                           error.what());
      help = error.help();
    }
  };
  for (std::size_t i = 0; i < job.data.train.size(); ++i)
    open(job.data.train[i].path, fmt::format("data.train.{}.path", i));
  if (!job.data.validation.path.empty()) open(job.data.validation.path, "data.validation.path");
  if (!wrong.empty()) throw data::DataError(wrong, help);
  layout::partition(job);  // throws what is wrong with it
}

namespace {

std::int64_t parameters_of(const config::Job& job) {
  return layout::parameter_count(layout::tensor_specs(job.model));
}

// Of the rank that holds most.
std::int64_t state_bytes(const config::Job& job) {
  return planner::plan(job).largest().memory.state.total();
}

std::int64_t tokens_per_step(const config::Job& job) {
  return job.train.global_batch * job.model.sequence_length;
}

}  // namespace

std::string parameters_text(const config::Job& job) {
  const auto count = static_cast<double>(parameters_of(job));
  if (count < 1e9) return fmt::format("{:.2f}M parameters", count / 1e6);
  if (count < 1e12) return fmt::format("{:.2f}B parameters", count / 1e9);
  return fmt::format("{:.2f}T parameters", count / 1e12);
}

std::string describe(const config::Job& job) {
  return fmt::format(
      "{}: {} {}, {} steps of {} tokens\n"
      "{} ranks: {} node{} x {}, {} thread{} each; {:.1f} MB of parameters, gradients and "
      "optimizer a rank\n"
      "output: {}\n",
      job.name, job.model.preset, parameters_text(job), job.train.steps, tokens_per_step(job),
      job.ranks(), job.launch.emulate_nodes, job.launch.emulate_nodes == 1 ? "" : "s (emulated)",
      job.launch.ranks_per_node, job.launch.threads_per_rank,
      job.launch.threads_per_rank == 1 ? "" : "s", static_cast<double>(state_bytes(job)) / 1e6,
      shown(job.output));
}

nlohmann::ordered_json as_json(const config::Job& job) {
  return {{"name", job.name},
          {"parameters", parameters_of(job)},
          {"steps", job.train.steps},
          {"tokens_per_step", tokens_per_step(job)},
          {"ranks", job.ranks()},
          {"nodes", job.launch.emulate_nodes},
          {"state_bytes_per_rank", state_bytes(job)},
          {"output", job.output}};
}

}  // namespace phalanx::launcher

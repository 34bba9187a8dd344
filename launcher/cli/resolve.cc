#include "launcher/cli/resolve.h"

#include <fmt/format.h>

#include "data/batch.h"
#include "data/error.h"
#include "data/tokenizer.h"
#include "layout/tensor_spec.h"

namespace phalanx::launcher {

void resolve(config::Job& job) {
  const auto tokenizer = data::make_tokenizer(job.data.tokenizer);
  const auto open = [&](const std::string& path) {
    data::TokenFile file(path);
    file.require_tokenizer(*tokenizer);
    const data::Batches long_enough(std::move(file), job.model.sequence_length, job.seed);
  };
  for (const auto& dataset : job.data.train) open(dataset.path);
  if (!job.data.validation.path.empty()) open(job.data.validation.path);
  if (job.model.vocab_size == 0) job.model.vocab_size = tokenizer->vocab_size();
  if (job.model.vocab_size < tokenizer->vocab_size())
    throw DataError(
        fmt::format("model.vocab_size: expected at least {}, what the tokenizer {} needs, found {}",
                    tokenizer->vocab_size(), tokenizer->name(), job.model.vocab_size),
        "write `vocab_size: auto`");
}

std::string describe(const config::Job& job) {
  const auto parameters = layout::parameter_count(layout::tensor_specs(job.model));
  const auto tokens_per_step = job.train.global_batch * job.model.sequence_length;
  return fmt::format(
      "{}: {} {:.2f}M parameters, {} steps of {} tokens\n"
      "{} ranks: {} node{} x {}, {} thread{} each; {:.1f} MB of parameters, gradients and "
      "optimizer a rank\n"
      "output: {}\n",
      job.name, job.model.preset, static_cast<double>(parameters) / 1e6, job.train.steps,
      tokens_per_step, job.ranks(), job.launch.emulate_nodes,
      job.launch.emulate_nodes == 1 ? "" : "s (emulated)", job.launch.ranks_per_node,
      job.launch.threads_per_rank, job.launch.threads_per_rank == 1 ? "" : "s",
      static_cast<double>(parameters) * 16 / 1e6, job.output);
}

}  // namespace phalanx::launcher

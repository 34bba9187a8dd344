#include "runtime/generate.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "base/philox.h"
#include "checkpoint/directory.h"
#include "config/load.h"
#include "data/tokenizer.h"
#include "model/transformer.h"
#include "parallel/flat_tensor.h"
#include "runtime/restore.h"

namespace phalanx::runtime {
namespace {

// A number in [0, 1) for the index-th sampled token.
double uniform(std::uint64_t seed, std::uint64_t index) {
  const auto bits = random_block(seed, stable_hash("generate"), 0, index);
  return static_cast<double>((std::uint64_t{bits[0]} << 21) ^ (bits[1] >> 11)) * 0x1p-53;
}

// The token that `at` of the distribution's mass lies below; greedy at temperature 0.
std::int64_t choose(std::span<const float> logits, double temperature, double at) {
  const auto likeliest = std::ranges::max_element(logits);
  if (temperature <= 0) return likeliest - logits.begin();
  std::vector<double> mass;
  double total = 0;
  for (const float logit : logits) {
    total += std::exp((double{logit} - double{*likeliest}) / temperature);
    mass.push_back(total);
  }
  const auto chosen = std::ranges::upper_bound(mass, at * total);
  return std::min<std::int64_t>(chosen - mass.begin(), std::ssize(mass) - 1);
}

// The whole model on one rank, whatever the layout that it was trained in.
config::Job alone(config::Job job) {
  job.parallel = {};
  job.launch.ranks_per_node = job.launch.emulate_nodes = 1;
  job.train.precision = "fp32";
  return job;
}

parallel::Parameters parameters_of(const ModelState& state) {
  parallel::Parameters parameters;
  for (const auto& part : state.parts()) {
    const parallel::FlatTensor flat(part.bucket, part.parameters);
    for (std::size_t i = 0; i < part.bucket.tensors.size(); ++i)
      parameters[part.bucket.tensors[i].name].value = flat.view(part.bucket, i);
  }
  return parameters;
}

}  // namespace

void generate(const protocol::Generate& request,
              const std::function<void(const std::string& bytes)>& piece) {
  at::set_num_threads(request.threads());
  const auto manifest = checkpoint::read_checked(request.checkpoint());
  const auto job =
      alone(config::load_job_text(manifest.job_yaml, request.checkpoint() + "/manifest").job);
  const auto tokenizer = data::make_tokenizer(job.data.tokenizer);
  ModelState state(job, 0);
  load_state(request.checkpoint(), state);
  const model::Transformer transformer(job.model, parameters_of(state));

  std::vector<std::int64_t> tokens = {tokenizer->end_of_document()};
  for (const auto token : tokenizer->encode(request.prompt())) tokens.push_back(token);
  for (std::int64_t i = 0; i < request.tokens(); ++i) {
    const auto length = std::min(std::ssize(tokens), job.model.sequence_length);
    const auto context =
        at::from_blob(tokens.data() + tokens.size() - length, {1, length}, at::kLong);
    const auto logits = transformer.logits(context).contiguous();
    const auto next =
        choose({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())},
               request.temperature(), uniform(request.seed(), static_cast<std::uint64_t>(i)));
    if (next == tokenizer->end_of_document()) return;
    tokens.push_back(next);
    const auto token = static_cast<data::Token>(next);
    piece(tokenizer->decode({&token, 1}));
  }
}

}  // namespace phalanx::runtime

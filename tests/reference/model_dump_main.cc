// What a model computes from given weights and tokens, for comparison with implementations that are
// not ours: tests/reference/compare_with_transformers.py.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "base/check.h"
#include "config/load.h"
#include "model/transformer.h"
#include "tests/model/small_model.h"
#include "tests/reference/safetensors.h"

namespace phalanx::reference {
namespace {

parallel::Parameters parameters_from(const config::Model& model, const NamedTensors& given) {
  auto parameters = model::parameters_of(model, at::kFloat);
  for (auto& [name, parameter] : parameters) {
    const auto found = given.find(name);
    check(found != given.end(), "model dump: no weight is given for " + name);
    check(found->second.sizes() == parameter.value.sizes(),
          "model dump: the shape given differs from the model's: " + name);
    parameter.value.copy_(found->second);
  }
  check(given.size() == parameters.size() + 2,  // inputs and targets
        fmt::format("model dump: {} parameters, found {} weights", parameters.size(),
                    given.size() - 2));
  return parameters;
}

// [sequences, length, vocab]
at::Tensor logits_of_all_positions(const model::Transformer& transformer,
                                   const at::Tensor& tokens) {
  at::Tensor x = tokens;
  for (const auto& block : transformer.blocks()) {
    parallel::Saved saved;
    x = block->forward(x, saved);
  }
  return x;
}

// "logits"; "loss" of all tokens, balancing included, in nats; "gradient.NAME" of each parameter.
NamedTensors results(const config::Model& model, const NamedTensors& given) {
  const auto parameters = parameters_from(model, given);
  const model::Transformer transformer(model, parameters);
  const model::MicroBatch batch{given.at("inputs"), given.at("targets")};

  NamedTensors results;
  results["logits"] = logits_of_all_positions(transformer, batch.inputs).contiguous();
  model::Activations saved;
  const double loss = transformer.forward(batch, saved) + transformer.auxiliary_loss(saved);
  results["loss"] = at::full({1}, loss, at::kFloat);
  transformer.backward(saved, [](const std::string&) {});
  for (const auto& [name, parameter] : parameters) results["gradient." + name] = parameter.gradient;
  return results;
}

}  // namespace
}  // namespace phalanx::reference

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr,
               "usage: phalanx-model-dump JOB.yaml GIVEN.safetensors RESULTS.safetensors\n");
    return 2;
  }
  try {
    const auto job = phalanx::config::load_job(argv[1]).job;
    const auto given = phalanx::reference::read_safetensors(argv[2]);
    phalanx::reference::write_safetensors(argv[3], phalanx::reference::results(job.model, given));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}

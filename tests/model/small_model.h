#pragma once

#include <map>
#include <string>

#include "layout/flat_layout.h"
#include "layout/tensor_spec.h"
#include "model/transformer.h"
#include "tests/kernels/tensors.h"

namespace phalanx::model {

// In flat memory. Weights far enough from zero, and norms from one, that every path shows in the
// gradients; those of matrices of type `matrix`, all else of `type`.
inline parallel::Parameters parameters_of(const config::Model& model, at::ScalarType type,
                                          at::ScalarType matrix) {
  const auto specs = layout::tensor_specs(model);
  const auto layout = layout::flat_layout(specs);
  const auto norms = at::zeros({layout.elements}, type), gradients = at::zeros_like(norms),
             matrices = at::zeros({layout.elements}, matrix);
  parallel::Parameters parameters;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto view = [&](const at::Tensor& flat) {
      return flat.narrow(0, layout.offsets[i], specs[i].elements()).view(specs[i].shape);
    };
    auto& [value, gradient] = parameters[specs[i].name];
    value = view(specs[i].decay ? matrices : norms);
    value.copy_(test::numbers(specs[i].shape, i + 1) * 0.5 + (specs[i].decay ? 0 : 1));
    gradient = view(gradients);
  }
  return parameters;
}

inline parallel::Parameters parameters_of(const config::Model& model,
                                          at::ScalarType type = at::kDouble) {
  return parameters_of(model, type, type);
}

inline MicroBatch batch_of(const config::Model& model, std::int64_t sequences, std::int64_t length,
                           std::uint64_t seed) {
  const auto tokens = [&](std::uint64_t from) {
    const auto uniform = (test::numbers({sequences, length}, from) + 1) / 2;
    return (uniform * static_cast<double>(model.vocab_size)).to(at::kLong);
  };
  return {tokens(seed), tokens(seed + 1000)};
}

inline double run(const Transformer& llama, const MicroBatch& batch) {
  Activations saved;
  const double loss = llama.forward(batch, saved);
  llama.backward(saved, [](const std::string&) {});
  return loss;
}

inline std::map<std::string, at::Tensor> leaves(const parallel::Parameters& parameters) {
  std::map<std::string, at::Tensor> weights;
  for (const auto& [name, parameter] : parameters) weights[name] = test::leaf(parameter.value);
  return weights;
}

}  // namespace phalanx::model

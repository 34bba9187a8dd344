#include "model/transformer.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "kernels/cross_entropy.h"
#include "layout/flat_layout.h"
#include "layout/tensor_spec.h"
#include "model/gpt2_blocks.h"
#include "model/llama_blocks.h"

namespace phalanx::model {
namespace {

bool finite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

void check_shapes(const config::Model& model, const parallel::Parameters& parameters) {
  for (const auto& spec : layout::tensor_specs(model)) {
    const auto found = parameters.find(spec.name);
    check(found != parameters.end(), "model: no parameter " + spec.name);
    const auto& [value, gradient] = found->second;
    check(value.sizes() == at::IntArrayRef(spec.shape) && value.is_contiguous(),
          "model: the shape differs from the specification's: " + spec.name);
    check(!gradient.defined() || (gradient.sizes() == value.sizes() && gradient.is_contiguous()),
          "model: the gradient's shape differs from the parameter's: " + spec.name);
  }
}

struct Preset {
  std::string_view name;
  std::vector<std::unique_ptr<parallel::Block>> (*blocks)(const config::Model&,
                                                          const parallel::Parameters&);
};
constexpr Preset kPresets[] = {{"llama", llama_blocks},
                               {"gpt2", gpt2_blocks},
                               {"mixtral", llama_blocks},
                               {"qwen_moe", llama_blocks}};

std::vector<std::unique_ptr<parallel::Block>> blocks_of(const config::Model& model,
                                                        const parallel::Parameters& parameters) {
  const auto preset = std::ranges::find(kPresets, model.preset, &Preset::name);
  check(preset != std::end(kPresets), "model: no preset " + model.preset);
  return preset->blocks(model, parameters);
}

}  // namespace

Transformer::Transformer(const config::Model& model, parallel::Parameters parameters)
    : model_(model), parameters_(std::move(parameters)) {
  check_shapes(model_, parameters_);
  blocks_ = blocks_of(model_, parameters_);
}

double Transformer::forward(const MicroBatch& batch, Activations& saved) const {
  saved.blocks.resize(blocks_.size());
  at::Tensor x = batch.inputs;
  for (std::size_t i = 0; i < blocks_.size(); ++i) x = blocks_[i]->forward(x, saved.blocks[i]);
  saved.dlogits = x;
  return kernels::cross_entropy(saved.dlogits, batch.targets);
}

double Transformer::auxiliary_loss(const Activations& saved) const {
  double loss = 0;
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    loss += blocks_[i]->auxiliary_loss(saved.blocks[i]);
  return loss;
}

void Transformer::backward(Activations& saved, const GradientReady& ready,
                           double loss_scale) const {
  check(loss_scale == 1 || model_.experts == 0 || model_.router.balance_loss == 0,
        "model: a balancing loss is not scaled");
  at::Tensor dy = std::move(saved.dlogits);
  if (loss_scale != 1) dy.mul_(loss_scale);
  for (std::size_t i = blocks_.size(); i-- > 0;) {
    dy = blocks_[i]->backward_input(dy, saved.blocks[i]);
    blocks_[i]->backward_weight(saved.blocks[i]);
    saved.blocks[i].clear();
    const auto& names = blocks_[i]->parameters();
    for (auto name = names.rbegin(); name != names.rend(); ++name) ready(*name);
  }
}

double Transformer::loss(const MicroBatch& batch) const {
  at::Tensor x = batch.inputs;
  for (const auto& block : blocks_) {
    parallel::Saved released;
    x = block->forward(x, released);
  }
  return kernels::cross_entropy(x, batch.targets);
}

at::Tensor Transformer::logits(const at::Tensor& tokens) const {
  at::Tensor x = tokens;
  for (const auto& block : blocks_) {
    parallel::Saved released;
    // Only the last position is asked for, and nothing mixes positions in the head.
    if (block == blocks_.back()) x = x.narrow(1, x.size(1) - 1, 1).contiguous();
    x = block->forward(x, released);
  }
  return x.squeeze(1);
}

std::optional<std::string> Transformer::first_non_finite(const MicroBatch& batch) const {
  Activations saved;
  saved.blocks.resize(blocks_.size());
  at::Tensor x = batch.inputs;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    for (const auto& name : blocks_[i]->parameters())
      if (!finite(parameters_.at(name).value)) return name;
    x = blocks_[i]->forward(x, saved.blocks[i]);
    if (!finite(x)) return "the output of " + blocks_[i]->name();
  }
  saved.dlogits = x;
  if (!std::isfinite(kernels::cross_entropy(saved.dlogits, batch.targets))) return "the loss";
  return first_non_finite_gradient(saved);
}

// Runs in a model of its own with the same values, so that the gradients gathered so far stay as
// they are.
std::optional<std::string> Transformer::first_non_finite_gradient(Activations& saved) const {
  parallel::Parameters parameters;
  const auto specs = layout::tensor_specs(model_);
  const auto layout = layout::flat_layout(specs);
  const auto& like = parameters_.at(specs.front().name).gradient;
  const auto gradients = at::zeros({layout.elements}, like.options());
  for (std::size_t i = 0; i < specs.size(); ++i)
    parameters[specs[i].name] = {
        parameters_.at(specs[i].name).value,
        gradients.narrow(0, layout.offsets[i], specs[i].elements()).view(specs[i].shape)};
  std::optional<std::string> first;
  Transformer(model_, parameters).backward(saved, [&](const std::string& name) {
    if (!first && !finite(parameters.at(name).gradient)) first = "the gradient of " + name;
  });
  return first;
}

}  // namespace phalanx::model

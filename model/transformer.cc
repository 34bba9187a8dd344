#include "model/transformer.h"

#include <algorithm>
#include <string_view>

#include "kernels/cross_entropy.h"
#include "layout/tensor_spec.h"
#include "model/gpt2_blocks.h"
#include "model/llama_blocks.h"
#include "parallel/recomputed_block.h"

namespace phalanx::model {
namespace {

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

constexpr const char* kOneDocument = "model: a sequence of several documents needs an executor";

struct Preset {
  std::string_view name;
  std::vector<std::unique_ptr<parallel::Block>> (*blocks)(const config::Model&,
                                                          const layout::StageLayers&,
                                                          const parallel::Parameters&,
                                                          const parallel::AxisGroups&);
};
constexpr Preset kPresets[] = {{"llama", llama_blocks},
                               {"gpt2", gpt2_blocks},
                               {"mixtral", llama_blocks},
                               {"qwen_moe", llama_blocks}};

}  // namespace

parallel::Chunk make_chunk(const config::Model& model, const layout::StageLayers& layers,
                           const parallel::Parameters& parameters,
                           const parallel::AxisGroups& groups, layout::Recompute recompute) {
  const auto preset = std::ranges::find(kPresets, model.preset, &Preset::name);
  check(preset != std::end(kPresets), "model: no preset " + model.preset);
  auto blocks = preset->blocks(model, layers, parameters, groups);
  for (auto& block : blocks)
    if (recompute == layout::Recompute::kSelective && block->name().ends_with(".attention"))
      block = std::make_unique<parallel::RecomputedBlock>(std::move(block));
  return parallel::Chunk(std::move(blocks));
}

layout::StageLayers all_layers(const config::Model& model) { return {0, model.layers, true, true}; }

Transformer::Transformer(const config::Model& model, const parallel::Parameters& parameters)
    : chunk_((check_shapes(model, parameters), make_chunk(model, all_layers(model), parameters))) {}

double Transformer::forward(const MicroBatch& batch, Activations& saved) const {
  check(!batch.first_visible.defined(), kOneDocument);
  saved.dlogits = chunk_.forward(batch.inputs, saved.chunk);
  return kernels::cross_entropy(saved.dlogits, batch.targets).item<double>();
}

double Transformer::auxiliary_loss(const Activations& saved) const {
  double loss = 0;
  for (std::size_t i = 0; i < blocks().size(); ++i)
    if (const auto part = blocks()[i]->auxiliary_loss(saved.chunk.blocks[i]); part.defined())
      loss += part.item<double>();
  return loss;
}

void Transformer::backward(Activations& saved, const parallel::Chunk::GradientReady& ready) const {
  chunk_.backward(std::move(saved.dlogits), saved.chunk, ready);
}

double Transformer::loss(const MicroBatch& batch) const {
  check(!batch.first_visible.defined(), kOneDocument);
  auto logits = chunk_.forward(batch.inputs);
  return kernels::cross_entropy(logits, batch.targets).item<double>();
}

at::Tensor Transformer::logits(const at::Tensor& tokens) const {
  at::Tensor x = tokens;
  for (const auto& block : blocks()) {
    parallel::Saved released;
    // Only the last position is asked for, and nothing mixes positions in the head.
    if (block == blocks().back()) x = x.narrow(1, x.size(1) - 1, 1).contiguous();
    x = block->forward(x, released);
  }
  return x.squeeze(1);
}

}  // namespace phalanx::model

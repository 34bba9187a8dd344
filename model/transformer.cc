#include "model/transformer.h"

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

}  // namespace

parallel::Chunk make_chunk(const config::Model& model, const layout::StageLayers& layers,
                           const parallel::Parameters& parameters,
                           const parallel::AxisGroups& groups, Recompute recompute) {
  auto blocks = model.preset == "gpt2" ? gpt2_blocks(model, layers, parameters, groups)
                                       : llama_blocks(model, layers, parameters, groups);
  for (auto& block : blocks)
    if (recompute == Recompute::kAttention && block->name().ends_with(".attention"))
      block = std::make_unique<parallel::RecomputedBlock>(std::move(block));
  return parallel::Chunk(std::move(blocks));
}

layout::StageLayers all_layers(const config::Model& model) { return {0, model.layers, true, true}; }

Transformer::Transformer(const config::Model& model, const parallel::Parameters& parameters)
    : chunk_((check_shapes(model, parameters), make_chunk(model, all_layers(model), parameters))) {}

double Transformer::forward(const MicroBatch& batch, Activations& saved) const {
  saved.dlogits = chunk_.forward(batch.inputs, saved.chunk);
  return kernels::cross_entropy(saved.dlogits, batch.targets);
}

void Transformer::backward(Activations& saved, const parallel::Chunk::GradientReady& ready) const {
  chunk_.backward(std::move(saved.dlogits), saved.chunk, ready);
}

double Transformer::loss(const MicroBatch& batch) const {
  auto logits = chunk_.forward(batch.inputs);
  return kernels::cross_entropy(logits, batch.targets);
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

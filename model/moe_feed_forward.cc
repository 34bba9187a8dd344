#include "model/moe_feed_forward.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "kernels/linear.h"
#include "kernels/rms_norm.h"
#include "kernels/sigmoid_gate.h"
#include "kernels/swiglu.h"

namespace phalanx::model {
namespace {

using parallel::ExpertDispatch;

enum Slot {
  kInput,
  kInverseRms,
  kNormed,  // from backward_input on
  kNormGradient,
  kOutputGradient,
  kSharedGateUp,  // their gradient once backward_input has run, and so of the next two
  kSharedOutput,
  kSharedLogits,
  kSharedHidden,  // from backward_input on
  kRows,          // by chunk, as ExpertDispatch::exchange says
  kRouter,
  kChunks = kRouter + TokenRouter::kSlots  // for each chunk: the results, then the experts'
};
constexpr std::size_t kChunkSlots = 1 + Experts::kSlots;

TokenRouter::Saved of_router(parallel::Saved& saved) {
  return TokenRouter::Saved(saved.data() + kRouter, TokenRouter::kSlots);
}

at::Tensor& results(parallel::Saved& saved, std::size_t chunk) {
  return saved[kChunks + chunk * kChunkSlots];
}

Experts::Saved of_experts(parallel::Saved& saved, std::size_t chunk) {
  return Experts::Saved(saved.data() + kChunks + chunk * kChunkSlots + 1, Experts::kSlots);
}

// [sequences, length, width] as [tokens, width].
at::Tensor tokens_of(const at::Tensor& x) { return x.view({-1, x.size(-1)}); }

at::Tensor tokens_of(const at::Tensor& flat, const ExpertDispatch::Chunk& chunk) {
  return flat.narrow(0, chunk.first, chunk.tokens);
}

}  // namespace

MoeFeedForward::MoeFeedForward(const config::Model& model, const std::string& layer,
                               const parallel::Parameters& parameters,
                               const parallel::AxisGroups& groups)
    : Block(layer + ".ffn"),
      length_(model.sequence_length / (groups.context ? groups.context->size() : 1)),
      epsilon_(model.norm_epsilon),
      sharing_{groups.tensor, groups.context},
      tensor_(groups.tensor),
      dispatch_(groups.expert, model.experts, groups.expert_chunks),
      norm_(own(parameters, layer + ".ffn_norm.weight")),
      router_{model, own(parameters, name() + ".router.weight"),
              own(parameters, name() + ".router.bias")} {
  const auto gate_up = [&](const std::string& prefix) {
    auto runs = own_joined(parameters, {prefix + "gate.weight", prefix + "up.weight"});
    check(runs.size() == 1, "experts: the gate and up of one lie one behind the other: " + prefix);
    return runs.front();
  };
  for (std::int64_t e = 0; e < dispatch_.local_experts(); ++e) {
    const auto prefix = name() + ".experts." + std::to_string(dispatch_.first_expert() + e) + ".";
    auto both = gate_up(prefix);
    experts_.add(std::move(both), own(parameters, prefix + "down.weight"));
  }
  if (model.preset != "qwen_moe") return;
  shared_.gate_up = gate_up(name() + ".shared_expert.");
  shared_.down = own(parameters, name() + ".shared_expert.down.weight");
  shared_.gate = own(parameters, name() + ".shared_gate.weight");
}

kernels::SequenceRun MoeFeedForward::sequences(const at::Tensor& x) const {
  if (!tensor_) return {0, std::max<std::int64_t>(1, x.size(1)), x.size(0)};
  const std::int64_t tokens = x.size(0) * x.size(1);
  return {tensor_->rank() * tokens, length_, tokens * tensor_->size() / length_};
}

at::Tensor MoeFeedForward::forward(const at::Tensor& x, parallel::Saved& saved) const {
  const auto norm = kernels::rms_norm(x, norm_.value, epsilon_);
  const auto normed = tokens_of(norm.y);
  saved.assign(kChunks, {});
  saved[kInput] = x;
  saved[kInverseRms] = norm.inverse_rms;
  auto router = of_router(saved);
  router_.forward(normed, sequences(x), sharing_, router);
  saved[kRows] = dispatch_.exchange(router[TokenRouter::kExperts]);

  auto y = tokens_of(x).clone();
  const auto chunks = plan(saved);
  saved.resize(kChunks + chunks.size() * kChunkSlots);
  router = of_router(saved);
  dispatch_.round_trip(
      chunks, {[&](std::size_t c) {
                 return kernels::rows_of_tokens(tokens_of(normed, chunks[c]), chunks[c].leaving);
               },
               [&](std::size_t c, const at::Tensor& rows) {
                 return experts_.forward(rows, chunks[c].rows, of_experts(saved, c));
               },
               [&](std::size_t c, const at::Tensor& rows) {
                 results(saved, c) = rows;
                 kernels::add_rows(rows, chunks[c].leaving,
                                   tokens_of(router[TokenRouter::kWeights], chunks[c]),
                                   tokens_of(y, chunks[c]));
               },
               [&] {
                 if (shared_.present()) add_shared(normed, y, saved);
               }});
  return y.view(x.sizes());
}

MoeFeedForward::Chunks MoeFeedForward::plan(parallel::Saved& saved) const {
  return dispatch_.plan(of_router(saved)[TokenRouter::kExperts], saved[kRows]);
}

void MoeFeedForward::add_shared(const at::Tensor& normed, at::Tensor& y,
                                parallel::Saved& saved) const {
  saved[kSharedGateUp] = kernels::linear(normed, shared_.gate_up.value);
  saved[kSharedOutput] = kernels::linear(kernels::swiglu(saved[kSharedGateUp]), shared_.down.value);
  saved[kSharedLogits] = kernels::linear(normed, shared_.gate.value);
  kernels::add_gated(saved[kSharedOutput], saved[kSharedLogits], y);
}

at::Tensor MoeFeedForward::backward_input(const at::Tensor& dy, parallel::Saved& saved) const {
  return backward_input(dy, saved, nullptr);
}

parallel::Block::Backward MoeFeedForward::backward(const at::Tensor& dy, parallel::Saved& saved,
                                                   parallel::Meanwhile& earlier) const {
  if (!dispatch_.moves()) return Block::backward(dy, saved, earlier);
  return {backward_input(dy, saved, &earlier),
          parallel::Meanwhile([&] { rest_of_backward_weight(saved); })};
}

at::Tensor MoeFeedForward::backward_input(const at::Tensor& dy, parallel::Saved& saved,
                                          parallel::Meanwhile* earlier) const {
  const auto flat = tokens_of(dy);
  at::Tensor dnormed;
  const auto dweights = routed_backward_input(flat, dnormed, saved, earlier);
  dnormed.add_(router_.backward_input(dweights, sequences(saved[kInput]), of_router(saved)));
  auto norm =
      kernels::rms_norm_backward(dnormed, saved[kInput], norm_.value, saved[kInverseRms], dy);
  saved[kNormed] = dnormed;
  saved[kNormGradient] = norm.dweight;
  saved[kOutputGradient] = flat;
  return norm.dx;
}

at::Tensor MoeFeedForward::shared_backward_input(const at::Tensor& dy,
                                                 parallel::Saved& saved) const {
  kernels::add_gated_backward(dy, saved[kSharedOutput], saved[kSharedLogits]);
  auto dhidden = kernels::linear_backward_input(saved[kSharedOutput], shared_.down.value);
  kernels::swiglu_backward(dhidden, saved[kSharedGateUp]);
  saved[kSharedHidden] = dhidden;
  return kernels::linear_backward_input(saved[kSharedGateUp], shared_.gate_up.value)
      .add_(kernels::linear_backward_input(saved[kSharedLogits], shared_.gate.value));
}

at::Tensor MoeFeedForward::routed_backward_input(const at::Tensor& dy, at::Tensor& dnormed,
                                                 parallel::Saved& saved,
                                                 parallel::Meanwhile* earlier) const {
  const auto chunks = plan(saved);
  const auto& weights = of_router(saved)[TokenRouter::kWeights];
  auto dweights = at::empty_like(weights);
  dispatch_.round_trip(
      chunks, {[&](std::size_t c) {
                 const auto gradients =
                     kernels::add_rows_backward(tokens_of(dy, chunks[c]), results(saved, c),
                                                chunks[c].leaving, tokens_of(weights, chunks[c]));
                 tokens_of(dweights, chunks[c]).copy_(gradients.dweights);
                 results(saved, c).reset();
                 return gradients.drows;
               },
               [&](std::size_t c, const at::Tensor& rows) {
                 return experts_.backward_input(rows, chunks[c].rows, of_experts(saved, c));
               },
               [&](std::size_t c, const at::Tensor& rows) {
                 kernels::add_rows(rows, chunks[c].leaving, {}, tokens_of(dnormed, chunks[c]));
               },
               [&] {
                 dnormed =
                     shared_.present() ? shared_backward_input(dy, saved) : at::zeros_like(dy);
                 if (earlier) (*earlier)();
               },
               [&] {
                 if (earlier) routed_backward_weight(chunks, saved);
               }});
  return dweights;
}

void MoeFeedForward::backward_weight(parallel::Saved& saved) const {
  routed_backward_weight(plan(saved), saved);
  rest_of_backward_weight(saved);
}

void MoeFeedForward::routed_backward_weight(const Chunks& chunks, parallel::Saved& saved) const {
  for (std::size_t c = 0; c < chunks.size(); ++c)
    experts_.backward_weight(chunks[c].rows, of_experts(saved, c));
}

void MoeFeedForward::rest_of_backward_weight(parallel::Saved& saved) const {
  router_.backward_weight(saved[kNormed], of_router(saved));
  norm_.gradient.add_(saved[kNormGradient]);
  if (!shared_.present()) return;
  kernels::add_linear_backward_weight(saved[kSharedOutput], saved[kSharedHidden],
                                      shared_.down.gradient);
  kernels::add_linear_backward_weight(saved[kSharedGateUp], saved[kNormed],
                                      shared_.gate_up.gradient);
  kernels::add_linear_backward_weight(saved[kSharedLogits], saved[kNormed], shared_.gate.gradient);
}

at::Tensor MoeFeedForward::auxiliary_loss(const parallel::Saved& saved) const {
  const auto* router = saved.data() + kRouter;
  return router[TokenRouter::kBalanceLoss];
}

}  // namespace phalanx::model

#include "layout/expert_memory.h"

#include <algorithm>

#include "layout/expert_specs.h"

namespace phalanx::layout {
namespace {

// Choices and their weights, the load of the sequences, and where experts are balanced by a loss
// that, which is one fp64 number.
SavedElements router(const config::Model& model, const MicroBatchShape& shape) {
  const auto tokens = shape.own_tokens(), experts = model.experts;
  const auto choices = tokens * model.experts_per_token;
  return {0, tokens * experts + choices + (shape.sequences + 1) * experts,
          choices + (model.router.balance_loss > 0)};
}

// How many rows leave and arrive, by chunk, rank and expert.
SavedElements row_counts(const config::Model& model, const MicroBatchShape& shape) {
  const auto chunks = shape.expert_ranks == 1 ? 1 : shape.expert_chunks;
  return {0, 0, 2 * chunks * model.experts};
}

// The expert of all tokens, which tensor ranks do not divide.
BlockMemory shared_expert(const config::Model& model, const MicroBatchShape& shape) {
  if (model.preset != "qwen_moe") return {};
  const auto tokens = shape.own_tokens();
  const SavedElements forward{tokens * (2 * model.ffn_width + model.width + 1)};
  return {forward, forward + SavedElements{tokens * model.ffn_width}};
}

// The results, which have served once backward_input has run, and what the experts keep.
BlockMemory routed_experts(const config::Model& model, const MicroBatchShape& shape) {
  const auto results = shape.own_tokens() * model.experts_per_token * model.width;
  const auto kept = shape.expert_rows * (model.width + 2 * expert_width(model));
  return {{results + kept}, {kept + shape.expert_rows * (expert_width(model) + model.width)}};
}

}  // namespace

std::int64_t most_expert_rows(const config::Model& model, const MicroBatchShape& shape) {
  return shape.expert_ranks * shape.own_tokens() *
         std::min(model.experts_per_token, model.experts / shape.expert_ranks);
}

BlockMemory expert_memory(const config::Model& model, const MicroBatchShape& shape) {
  const auto values = shape.own_tokens() * model.width;
  const auto always =
      SavedElements{values, shape.own_tokens()} + router(model, shape) + row_counts(model, shape);
  const auto shared = shared_expert(model, shape), routed = routed_experts(model, shape);
  // The normed input, the gradients of output, norm and logits.
  const SavedElements more{2 * values, model.width + shape.own_tokens() * model.experts};
  return {always + shared.after_forward + routed.after_forward,
          always + shared.after_backward_input + routed.after_backward_input + more};
}

}  // namespace phalanx::layout

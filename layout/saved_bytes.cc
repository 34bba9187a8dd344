#include "layout/saved_bytes.h"

#include <algorithm>

#include "layout/block_sizes.h"
#include "layout/expert_memory.h"

namespace phalanx::layout {
namespace {

// The norm that a block begins with: its input and `statistics` numbers a token, then its output
// again and the gradients of its `vectors`.
BlockMemory norm(const BlockSizes& s, std::int64_t statistics, std::int64_t vectors) {
  const SavedElements forward{s.own * s.width, s.own * statistics};
  return {forward, forward + SavedElements{s.own * s.width, vectors * s.width}};
}

BlockMemory operator+(const BlockMemory& a, const BlockMemory& b) {
  return {a.after_forward + b.after_forward, a.after_backward_input + b.after_backward_input};
}

// The same before and after.
BlockMemory both(const SavedElements& elements) { return {elements, elements}; }

// Once backward_input has run: `values` more.
BlockMemory then(std::int64_t values) { return {{}, {values}}; }

// Queries, keys and values side by side, what came of them, and a number a query.
BlockMemory heads(const BlockSizes& s) {
  const auto projected = s.all * (s.heads + 2 * s.kv_heads) * s.head_width;
  const auto attended = s.all * s.heads * s.head_width;
  const auto kept = both({projected + attended, s.all * s.heads});
  if (s.exchange == 1) return kept;
  // Of a share of the heads, the whole sequence once more.
  const auto kv_heads = std::max<std::int64_t>(1, s.kv_heads / s.exchange);
  return kept + both({s.all * (s.heads + 2 * kv_heads * s.exchange) * s.head_width + attended});
}

// The gradient of the output, of all tokens, which the row linear's weight is multiplied with.
BlockMemory output_gradient(const BlockSizes& s) { return then(s.all * s.width); }

BlockMemory llama(BlockKind kind, const BlockSizes& s) {
  switch (kind) {
    case BlockKind::kEmbedding:
      return both({0, 0, s.all}) + output_gradient(s);
    case BlockKind::kAttention:
      return norm(s, 1, 1) + heads(s) + output_gradient(s);
    case BlockKind::kFeedForward:
      return norm(s, 1, 1) + both({s.all * 2 * s.ffn}) + then(s.all * s.ffn) + output_gradient(s);
    case BlockKind::kHead:
      return norm(s, 1, 1);
  }
  return {};
}

// Biases are added to own tokens, so their gradients are of these.
BlockMemory gpt2(BlockKind kind, const BlockSizes& s) {
  const auto gradients = output_gradient(s) + then(s.apart ? s.own * s.width : 0);
  switch (kind) {
    case BlockKind::kEmbedding:
      return both({0, 0, s.all + s.own}) + gradients;
    case BlockKind::kAttention:
      return norm(s, 2, 2) + heads(s) + gradients;
    case BlockKind::kFeedForward:
      return norm(s, 2, 2) + both({s.all * s.ffn}) + then(s.all * s.ffn) + gradients;
    case BlockKind::kHead:
      return norm(s, 2, 2);
  }
  return {};
}

// The head keeps the gradient of the logits, which are that already when they wait.
std::int64_t logits(const config::Model& model, const MicroBatchShape& shape) {
  return shape.all_tokens() * shape.words(model.vocab_size);
}

}  // namespace

SavedElements SavedElements::operator+(const SavedElements& other) const {
  return {values + other.values, sums + other.sums, indices + other.indices};
}

std::int64_t SavedElements::bytes(ElementBytes each) const {
  return values * each.values + sums * each.sums +
         indices * static_cast<std::int64_t>(sizeof(std::int64_t));
}

BlockMemory block_memory(const config::Model& model, BlockKind kind, const MicroBatchShape& shape) {
  if (kind == BlockKind::kFeedForward && model.experts > 0) return expert_memory(model, shape);
  const BlockSizes sizes(model, shape);
  auto memory = model.preset == "gpt2" ? gpt2(kind, sizes) : llama(kind, sizes);
  if (kind == BlockKind::kHead) memory = memory + then(logits(model, shape));
  if (kind == BlockKind::kAttention && shape.attention_recomputed)
    memory.after_forward = {sizes.own * sizes.width};
  return memory;
}

StageMemory stage_memory(const config::Model& model, const StageLayers& layers,
                         const MicroBatchShape& shape, ElementBytes each) {
  StageMemory memory{0, 0, boundary_bytes(model, shape, each)};
  const auto add = [&](BlockKind kind, std::int64_t count) {
    const auto block = block_memory(model, kind, shape);
    memory.saved += count * block.after_forward.bytes(each);
    memory.for_weight += count * block.after_backward_input.bytes(each);
  };
  if (layers.embedding) {
    add(BlockKind::kEmbedding, 1);
    memory.input = SavedElements{0, 0, shape.all_tokens()}.bytes(each);
  }
  add(BlockKind::kAttention, layers.last - layers.first);
  add(BlockKind::kFeedForward, layers.last - layers.first);
  if (layers.head) {
    add(BlockKind::kHead, 1);
    memory.saved += logits(model, shape) * each.values;
  }
  return memory;
}

std::int64_t boundary_bytes(const config::Model& model, const MicroBatchShape& shape,
                            ElementBytes each) {
  return shape.own_tokens() * model.width * each.values;
}

}  // namespace phalanx::layout

#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/element_bytes.h"
#include "layout/schedule_memory.h"
#include "layout/stage_split.h"

namespace phalanx::layout {

// What a rank computes with of a micro-batch: `sequences` of `length` tokens, of which the ranks of
// the tensor axis have an equal run each outside the matrices (parallel/tensor_axis.h).
struct MicroBatchShape {
  std::int64_t sequences = 1, length = 1;
  std::int64_t tensor_ranks = 1, tensor_rank = 0;
  // Context ranks that exchange heads for whole sequences (parallel/ulysses_attention.h).
  std::int64_t exchange_ranks = 1;
  // Or that pass keys and values around (parallel/ring_attention.h).
  std::int64_t ring_ranks = 1;
  // Attention keeps its input alone until its backward pass (parallel/recomputed_block.h).
  bool attention_recomputed = false;
  // Ranks that divide the experts, and the rows that come to those of this one
  // (layout/expert_memory.h).
  std::int64_t expert_ranks = 1, expert_rows = 0;
  // Own tokens that travel to their experts at a time, at most (parallel/expert_dispatch.h).
  std::int64_t expert_chunk_tokens = 1024;

  std::int64_t all_tokens() const { return sequences * length; }
  std::int64_t own_tokens() const { return all_tokens() / tensor_ranks; }
  // This rank's words of a vocabulary (parallel/vocabulary.h).
  std::int64_t words(std::int64_t vocabulary) const;
};

enum class BlockKind : std::uint8_t { kEmbedding, kAttention, kFeedForward, kHead };

// Elements by the type they have.
struct SavedElements {
  std::int64_t values = 0, sums = 0;  // ElementBytes
  std::int64_t indices = 0;           // int64

  SavedElements operator+(const SavedElements& other) const;
  std::int64_t bytes(ElementBytes each) const;
};

// What a block of the model's preset keeps of a micro-batch (parallel/block.h): from forward on,
// and once backward_input has run. What several blocks keep is counted once, by the first that
// does; the tests of model/ hold every block to this.
struct BlockMemory {
  SavedElements after_forward, after_backward_input;
};
BlockMemory block_memory(const config::Model& model, BlockKind kind, const MicroBatchShape& shape);

// Bytes that a micro-batch keeps of a stage: of its blocks, and of logits, which wait for their
// backward pass as their own gradient.
StageMemory stage_memory(const config::Model& model, const StageLayers& layers,
                         const MicroBatchShape& shape, ElementBytes each);

// Bytes of the vectors that flow from a stage to the next for a micro-batch.
std::int64_t boundary_bytes(const config::Model& model, const MicroBatchShape& shape,
                            ElementBytes each);

}  // namespace phalanx::layout

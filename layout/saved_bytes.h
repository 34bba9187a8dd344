#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/element_bytes.h"
#include "layout/micro_batch_shape.h"
#include "layout/schedule_memory.h"
#include "layout/stage_split.h"

namespace phalanx::layout {

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

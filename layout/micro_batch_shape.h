#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/mesh.h"

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
  // In which every rank sends own tokens to their experts (parallel/expert_dispatch.h), of at most
  // parallel.expert_chunk_tokens; as many where there are fewer sequences, so that no rank has to
  // ask the others.
  std::int64_t expert_chunks = 1;

  std::int64_t all_tokens() const { return sequences * length; }
  std::int64_t own_tokens() const { return all_tokens() / tensor_ranks; }
  // This rank's words of a vocabulary (parallel/vocabulary.h).
  std::int64_t words(std::int64_t vocabulary) const;
};

// Of a micro-batch with as many sequences as any has, its experts evenly loaded.
MicroBatchShape micro_batch_shape(const config::Job& job, const MeshSizes& mesh);

}  // namespace phalanx::layout

#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/saved_bytes.h"

namespace phalanx::layout {

// The chunks of at most `most_tokens` in which a rank would send `tokens` to their experts
// (parallel/expert_dispatch.h); ranks that exchange take the most of any.
std::int64_t expert_chunks(std::int64_t tokens, std::int64_t most_tokens);

// Rows (choices of tokens) that come to a rank's experts of a micro-batch: where all experts get
// equally many, and where the tokens of all ranks choose this rank's as far as it has enough.
std::int64_t even_expert_rows(const config::Model& model, const MicroBatchShape& shape);
std::int64_t most_expert_rows(const config::Model& model, const MicroBatchShape& shape);

// What the feed-forward part of a layer with experts keeps of `shape.expert_rows`
// (model/moe_feed_forward.h); as block_memory().
BlockMemory expert_memory(const config::Model& model, const MicroBatchShape& shape);

}  // namespace phalanx::layout

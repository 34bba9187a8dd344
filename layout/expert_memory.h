#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/saved_bytes.h"

namespace phalanx::layout {

// Rows (choices of tokens) that come to a rank's experts of a micro-batch where the tokens of all
// ranks choose this rank's as far as it has enough.
std::int64_t most_expert_rows(const config::Model& model, const MicroBatchShape& shape);

// What the feed-forward part of a layer with experts keeps of `shape.expert_rows`
// (model/moe_feed_forward.h); as block_memory().
BlockMemory expert_memory(const config::Model& model, const MicroBatchShape& shape);

}  // namespace phalanx::layout

#pragma once

#include <cstdint>

#include "config/job.h"
#include "layout/saved_bytes.h"

namespace phalanx::layout {

// Bytes that a block of the model's preset has at work on a micro-batch. The peaks are of all that
// is there for this block alone at the worst moment of a pass: what it was given, keeps, and makes
// for the while. Tokens, which the step's batches hold, do not count.
struct BlockPeaks {
  std::int64_t kept = 0, kept_for_weight = 0;  // of block_memory()
  std::int64_t forward = 0;                    // with input and output
  std::int64_t backward_input = 0;             // with the gradients of output and input
  // While it waits for other ranks, and the block behind it gets the gradients of its weights; 0:
  // that has been before.
  std::int64_t shade = 0;
  std::int64_t backward_weight = 0;  // without the gradient of the input
};

// Some temporaries of a few numbers a token are left out; the tests of runtime/ hold the peaks of
// whole steps to this.
BlockPeaks block_peaks(const config::Model& model, BlockKind kind, const MicroBatchShape& shape,
                       ElementBytes each);

// Of the feed-forward part of a layer with experts.
BlockPeaks expert_peaks(const config::Model& model, const MicroBatchShape& shape,
                        ElementBytes each);

}  // namespace phalanx::layout

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "comm/group.h"
#include "layout/zigzag.h"
#include "parallel/document_mask.h"

namespace phalanx::parallel {

// What context ranks exchange for attention: keys and values in a ring, or heads for sequence.
enum class ContextExchange : std::uint8_t { kRing, kHeads };

// The groups that a rank's blocks communicate in; null where an axis has one rank. And how.
struct AxisGroups {
  std::shared_ptr<comm::Group> tensor, context, expert;
  ContextExchange exchange = ContextExchange::kRing;
  std::int64_t expert_chunks = 1;            // ExpertDispatch's
  std::shared_ptr<const DocumentMask> mask;  // null: attention is causal, and nothing else

  // How much of a sequence this rank computes with, and which positions.
  std::int64_t own_length(std::int64_t sequence_length) const {
    return context ? sequence_length / context->size() : sequence_length;
  }
  std::vector<std::int64_t> own_positions(std::int64_t sequence_length) const {
    return context ? layout::zigzag_positions(sequence_length, context->size(), context->rank())
                   : layout::zigzag_positions(sequence_length, 1, 0);
  }
};

}  // namespace phalanx::parallel

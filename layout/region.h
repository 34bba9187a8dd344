#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layout/tensor_spec.h"

namespace phalanx::layout {

// A box of a named, unpadded global tensor: `extent[d]` elements from `offset[d]` on in every
// dimension. Everything that moves state (snapshot, restore, save, load) speaks regions and knows
// nothing of how a model is divided.
struct Region {
  std::string tensor;
  std::vector<std::int64_t> offset;
  std::vector<std::int64_t> extent;

  std::int64_t elements() const;
  bool operator==(const Region&) const = default;
};

// What part `part` of `parts` owns of a replicated state, so that together they write it once: the
// tensors in order, cut between rows (the first dimension) into `parts` runs of elements as even as
// rows allow. Every element of every tensor is in exactly one region of one part; a part may own
// nothing.
std::vector<Region> owned_rows(const std::vector<TensorSpec>& specs, int parts, int part);

}  // namespace phalanx::layout

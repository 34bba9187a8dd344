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

}  // namespace phalanx::layout

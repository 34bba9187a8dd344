#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "layout/region.h"

namespace phalanx::checkpoint {

// A whole tensor of the model, unpadded; every kind of state has it in this shape.
struct GlobalTensor {
  std::string name;
  std::vector<std::int64_t> shape;

  std::int64_t elements() const;
  bool operator==(const GlobalTensor&) const = default;
};

// A region of one kind of state ("parameter", "adam_m", "adam_v") in the caller's memory, row-major
// and dense: data.size() == region.elements().
struct StateView {
  std::string kind;
  layout::Region region;
  std::span<const float> data;
};

// The same, to be filled.
struct MutableStateView {
  std::string kind;
  layout::Region region;
  std::span<float> data;
};

// "parameter layers.0.ffn.up.weight [128:256, 0:64]", for messages.
std::string describe(const std::string& kind, const layout::Region& region);

}  // namespace phalanx::checkpoint

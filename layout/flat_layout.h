#pragma once

#include <cstdint>
#include <vector>

#include "layout/tensor_spec.h"

namespace phalanx::layout {

// Tensors one behind the other in one buffer, in the order of their specs. Each begins at a
// multiple of 16 elements (64 bytes of fp32), but one that is joined to the tensor before begins
// where that ends.
struct FlatLayout {
  std::vector<std::int64_t>
      offsets;  // elements; tensor i is [offsets[i], offsets[i] + specs[i].elements())
  std::int64_t elements = 0;  // of the buffer, padding included
};
FlatLayout flat_layout(const std::vector<TensorSpec>& specs);

}  // namespace phalanx::layout

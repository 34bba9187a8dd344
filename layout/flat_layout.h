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

// A run of neighbouring tensors whose gradients are reduced together.
struct Bucket {
  std::size_t first = 0, count = 0;       // tensors [first, first + count)
  std::int64_t offset = 0, elements = 0;  // of the flat buffer, padding included
};

// Cuts the tensors between themselves into buckets of about `target_bytes` of fp32, in the order in
// which a backward pass completes them: the last tensors first. Joined tensors share a bucket.
std::vector<Bucket> gradient_buckets(const std::vector<TensorSpec>& specs,
                                     std::int64_t target_bytes);

// Memory that a rank registers with its communicator: the flat gradients in the type in which they
// travel, and small vectors.
std::uint64_t registered_bytes(const config::Job& job);

}  // namespace phalanx::layout

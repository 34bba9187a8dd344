#pragma once

#include <cstdint>
#include <vector>

namespace phalanx::layout {

// What a stage of the pipeline holds: layers [first, last), the embedding if it is the first stage,
// norm and head if it is the last.
struct StageLayers {
  std::int64_t first = 0, last = 0;
  bool embedding = false, head = false;

  bool operator==(const StageLayers&) const = default;
};

// Costs of the parts of a model in any one unit (FLOPs, or measured time).
struct PartCosts {
  double embedding = 0, layer = 1, head = 0;
};

// Cuts embedding, `layers` layers and head, in this order, among `stages` stages so that the most
// expensive stage is as cheap as possible, and among such cuts the squares of all costs are
// smallest. Each stage has a part: the first may be the embedding alone, the last the head alone.
// Throws LayoutError when there are more stages than parts.
std::vector<StageLayers> split_layers(std::int64_t layers, int stages, const PartCosts& costs);

}  // namespace phalanx::layout

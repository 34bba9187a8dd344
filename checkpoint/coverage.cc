#include "checkpoint/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "checkpoint/overlap.h"

namespace phalanx::checkpoint {
namespace {

using layout::Region;

struct Piece {
  const Region* region;
  const std::string* file;
};

std::int64_t first_row(const Region& region) {
  return region.offset.empty() ? 0 : region.offset.front();
}
std::int64_t end_row(const Region& region) {
  return region.offset.empty() ? 1 : region.offset.front() + region.extent.front();
}

bool is_inside(const Region& region, const GlobalTensor& tensor) {
  if (region.offset.size() != tensor.shape.size() || region.extent.size() != tensor.shape.size())
    return false;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d)
    if (region.offset[d] < 0 || region.extent[d] < 0 ||
        region.extent[d] > tensor.shape[d] - region.offset[d])
      return false;
  return true;
}

// What is left of `box` without `hole`, which lies inside it, as disjoint boxes.
std::vector<Region> subtract(Region box, const Region& hole) {
  std::vector<Region> rest;
  for (std::size_t d = 0; d < box.offset.size(); ++d) {
    const auto end = box.offset[d] + box.extent[d];
    const auto hole_end = hole.offset[d] + hole.extent[d];
    if (hole.offset[d] > box.offset[d]) {
      rest.push_back(box);
      rest.back().extent[d] = hole.offset[d] - box.offset[d];
    }
    if (hole_end < end) {
      rest.push_back(box);
      rest.back().offset[d] = hole_end;
      rest.back().extent[d] = end - hole_end;
    }
    box.offset[d] = hole.offset[d];
    box.extent[d] = hole.extent[d];
  }
  return rest;
}

// A box of the tensor that no piece touches; there is one.
Region uncovered(const GlobalTensor& tensor, const std::vector<Piece>& pieces) {
  Region whole{tensor.name, std::vector<std::int64_t>(tensor.shape.size(), 0), tensor.shape};
  std::vector<std::pair<Region, std::size_t>> open{{whole, 0}};  // a box, the pieces already gone
  while (!open.empty()) {
    auto [box, next] = open.back();
    open.pop_back();
    std::optional<Region> shared;
    while (next < pieces.size() && !(shared = overlap(box, *pieces[next].region))) ++next;
    if (!shared) return box;
    for (auto& rest : subtract(box, *shared)) open.emplace_back(std::move(rest), next + 1);
  }
  return whole;
}

std::string problem_of(const std::string& kind, const GlobalTensor& tensor,
                       std::vector<Piece> pieces) {
  std::int64_t elements = 0;
  for (const auto& [region, file] : pieces) {
    if (!is_inside(*region, tensor))
      return fmt::format("{}: {} is outside of the tensor, whose shape is [{}]", *file,
                         describe(kind, *region), fmt::join(tensor.shape, ", "));
    elements += region->elements();
  }
  std::ranges::sort(pieces, {}, [](const Piece& piece) { return first_row(*piece.region); });
  for (std::size_t i = 0; i < pieces.size(); ++i)
    for (std::size_t j = i + 1;
         j < pieces.size() && first_row(*pieces[j].region) < end_row(*pieces[i].region); ++j)
      if (const auto shared = overlap(*pieces[i].region, *pieces[j].region))
        return fmt::format("{} is both in {} and in {}", describe(kind, *shared), *pieces[i].file,
                           *pieces[j].file);
  if (elements == tensor.elements()) return {};
  return fmt::format("{} is in no shard ({} of the tensor's {} elements are)",
                     describe(kind, uncovered(tensor, pieces)), elements, tensor.elements());
}

}  // namespace

std::string coverage_problem(std::span<const GlobalTensor> tensors,
                             std::span<const std::string> kinds,
                             std::span<const ShardInfo> shards) {
  std::map<std::pair<std::string, std::string>, std::vector<Piece>> pieces;
  for (const auto& kind : kinds)
    for (const auto& tensor : tensors) pieces[{kind, tensor.name}];
  for (const auto& shard : shards)
    for (const auto& stored : shard.regions) {
      const auto found = pieces.find({stored.kind, stored.region.tensor});
      if (found == pieces.end())
        return fmt::format("{}: {} is of no tensor or kind of state that the checkpoint names",
                           shard.file, describe(stored.kind, stored.region));
      found->second.push_back({&stored.region, &shard.file});
    }
  for (const auto& kind : kinds)
    for (const auto& tensor : tensors)
      if (auto problem = problem_of(kind, tensor, pieces[{kind, tensor.name}]); !problem.empty())
        return problem;
  return {};
}

}  // namespace phalanx::checkpoint

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "layout/partition.h"

namespace phalanx::layout {
namespace {

constexpr std::int64_t kUnit = 16;  // elements: a slice is whole cache lines

std::int64_t round_up(std::int64_t number, std::int64_t unit) {
  return (number + unit - 1) / unit * unit;
}

// How many neighbouring tensor-parallel ranks hold the same of a tensor.
int holders(const TensorSpec& spec, int tensor_ranks) {
  if (spec.split == Split::kNone) return tensor_ranks;
  return std::max<int>(
      1, tensor_ranks / static_cast<int>(std::min<std::int64_t>(spec.units, tensor_ranks)));
}

Region region_of(const TensorSpec& spec, const Partition& partition, int rank) {
  Region region{spec.name, std::vector<std::int64_t>(spec.shape.size(), 0), spec.shape};
  if (spec.split == Split::kNone) return region;
  const int tensor_ranks = partition.mesh.sizes().tensor;
  const std::int64_t parts = tensor_ranks / holders(spec, tensor_ranks);
  const std::int64_t part = partition.mesh.coordinates(rank).tensor / holders(spec, tensor_ranks);
  const std::size_t dimension = spec.split == Split::kRows ? 0 : 1;
  const std::int64_t unit = spec.shape[dimension] / spec.units;
  const std::int64_t begin = spec.units * part / parts, end = spec.units * (part + 1) / parts;
  region.offset[dimension] = begin * unit;
  region.extent[dimension] = (end - begin) * unit;
  return region;
}

// Whether the rank has the expert, or the tensor is no expert's.
bool holds(const TensorSpec& spec, const config::Model& model, const Partition& partition,
           int rank) {
  if (spec.expert < 0) return true;
  const auto each = model.experts / partition.mesh.sizes().expert;
  return spec.expert / each == partition.mesh.coordinates(rank).expert;
}

// The ranks that hold region_of(spec, partition, rank).
std::vector<int> replicas_of(const TensorSpec& spec, const Partition& partition, int rank) {
  const Mesh& mesh = partition.mesh;
  const int shared = holders(spec, mesh.sizes().tensor);
  const auto at = mesh.coordinates(rank);
  std::vector<int> pipeline_ranks = {at.pipeline};
  if (spec.tied)
    pipeline_ranks = {partition.map.rank_of(0), partition.map.rank_of(partition.map.stages() - 1)};
  std::vector<int> away;  // from each rank that shares gradients with this one
  for (const int pipeline : pipeline_ranks)
    for (int tensor = at.tensor / shared * shared; tensor < at.tensor / shared * shared + shared;
         ++tensor)
      away.push_back(mesh.rank({pipeline, 0, 0, tensor}) -
                     mesh.rank({at.pipeline, 0, 0, at.tensor}));
  std::vector<int> replicas;
  const Axes sharing = spec.expert < 0 ? kGradientAxes : kExpertGradientAxes;
  for (const int other : mesh.group(rank, sharing))
    for (const int step : away) replicas.push_back(other + step);
  if (!std::ranges::is_sorted(replicas)) std::ranges::sort(replicas);
  replicas.erase(std::unique(replicas.begin(), replicas.end()), replicas.end());
  return replicas;
}

// Which stages compute with a tensor.
std::vector<int> stages_of(const TensorSpec& spec, const Partition& partition) {
  const int last = partition.map.stages() - 1;
  std::vector<int> stages;
  if (spec.layer < 0) stages.push_back(0);
  for (int stage = 0; stage <= last && spec.layer >= 0; ++stage) {
    const auto& layers = partition.stages[static_cast<std::size_t>(stage)];
    if (layers.first <= spec.layer && spec.layer < layers.last) stages.push_back(stage);
  }
  if (stages.empty() || spec.tied) stages.push_back(last);
  return stages;
}

// The chunks of a rank that compute with a tensor.
std::vector<int> chunks_of(const TensorSpec& spec, const Partition& partition, int rank) {
  const int pipeline = partition.mesh.coordinates(rank).pipeline;
  std::vector<int> chunks;
  for (const int stage : stages_of(spec, partition))
    if (partition.map.rank_of(stage) == pipeline) chunks.push_back(partition.map.chunk_of(stage));
  return chunks;
}

void add(Bucket& bucket, const TensorSpec& spec, Region region, int uses, bool joined) {
  TensorSpec held = spec;
  held.shape = region.extent;
  held.joined = joined;
  bucket.tensors.push_back(spec);
  bucket.regions.push_back(std::move(region));
  bucket.held.push_back(std::move(held));
  bucket.uses.push_back(uses);
}

void lay_out(Bucket& bucket, int zero_stage) {
  const auto& first = bucket.tensors.front();
  bucket.sharded = zero_stage >= 1 && bucket.holds_matrices() && bucket.replicas.size() > 1;
  // Its two stages have different runs.
  bucket.gradients_in_runs = bucket.sharded && zero_stage >= 2 && !first.tied;
  bucket.parameters_in_runs = bucket.sharded && zero_stage >= 3 && !first.tied;
  bucket.flat = flat_layout(bucket.held);
  bucket.flat.elements =
      round_up(bucket.flat.elements, kUnit * static_cast<std::int64_t>(bucket.replicas.size()));
}

// Cut between tensors, from the last on, which is the first whose gradient is complete.
std::vector<Bucket> cut(const Bucket& whole, std::int64_t target_bytes, int zero_stage) {
  std::vector<std::pair<std::size_t, std::size_t>> runs;  // [first, last) of the tensors
  std::int64_t bytes = 0;
  for (std::size_t last = whole.held.size(); last > 0;) {
    std::size_t first = last - 1;
    while (whole.held[first].joined) --first;
    std::int64_t more = 0;
    for (auto i = first; i < last; ++i) more += whole.held[i].elements() * std::int64_t{4};
    if (runs.empty() || bytes + more > target_bytes) {
      runs.emplace_back(first, last);
      bytes = 0;
    }
    runs.back().first = first;
    bytes += more;
    last = first;
  }
  std::vector<Bucket> parts;
  for (const auto& [first, last] : runs) {
    Bucket part;
    part.chunk = whole.chunk;
    part.replicas = whole.replicas;
    for (auto i = first; i < last; ++i)
      add(part, whole.tensors[i], whole.regions[i], whole.uses[i], whole.held[i].joined);
    lay_out(part, zero_stage);
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

std::vector<Bucket> buckets(const config::Model& model, const Partition& partition, int rank,
                            std::int64_t target_bytes) {
  std::map<std::string, std::size_t> place;  // in the forward pass
  std::map<std::tuple<int, bool, bool, std::vector<int>>, Bucket> wholes;
  std::string before;
  for (const auto& spec : tensor_specs(model)) {
    const auto previous = std::exchange(before, spec.name);
    place.emplace(spec.name, place.size());
    const auto chunks = chunks_of(spec, partition, rank);
    if (chunks.empty() || !holds(spec, model, partition, rank)) continue;
    auto replicas = replicas_of(spec, partition, rank);
    auto& whole = wholes[{chunks.front(), spec.shape.size() > 1, spec.tied, replicas}];
    whole.chunk = chunks.front();
    whole.replicas = std::move(replicas);
    // What it continues may be held by other ranks, and then lies elsewhere.
    const bool joined =
        spec.joined && !whole.tensors.empty() && whole.tensors.back().name == previous;
    add(whole, spec, region_of(spec, partition, rank), static_cast<int>(chunks.size()), joined);
  }
  std::vector<Bucket> all;
  for (const auto& [key, whole] : wholes)
    for (auto& part : cut(whole, target_bytes, partition.zero_stage))
      all.push_back(std::move(part));
  std::ranges::sort(all, [&](const Bucket& a, const Bucket& b) {
    const auto begins = [&](const Bucket& bucket) {
      return std::tuple(-bucket.chunk,
                        -static_cast<std::int64_t>(place.at(bucket.tensors.front().name)));
    };
    return begins(a) < begins(b);
  });
  return all;
}

std::vector<PlacedRegion> regions_between(const Bucket& bucket, std::int64_t begin,
                                          std::int64_t end) {
  std::vector<PlacedRegion> found;
  for (std::size_t i = 0; i < bucket.regions.size(); ++i) {
    const auto& region = bucket.regions[i];
    const auto offset = bucket.flat.offsets[i];
    const auto row = region.extent.size() < 2 ? 1 : region.extent[1];
    auto at = std::max<std::int64_t>(begin - offset, 0);  // in the tensor
    const auto last = std::min(end - offset, region.elements());
    // A row that is cut, or all whole rows that follow.
    while (at < last) {
      const auto in_row = at % row;
      const bool whole_rows = in_row == 0 && last - at >= row;
      const auto count = whole_rows ? (last - at) / row * row : std::min(row - in_row, last - at);
      PlacedRegion part{region, offset + at};
      part.region.offset[0] += at / row;
      part.region.extent[0] = whole_rows ? count / row : 1;
      if (region.extent.size() > 1) {
        part.region.offset[1] += in_row;
        part.region.extent[1] = whole_rows ? row : count;
      } else {
        part.region.extent[0] = count;
      }
      found.push_back(std::move(part));
      at += count;
    }
  }
  return found;
}

}  // namespace phalanx::layout

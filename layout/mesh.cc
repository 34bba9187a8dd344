#include "layout/mesh.h"

#include "base/check.h"

namespace phalanx::layout {
namespace {

// Outermost first. Expert and expert-data lie where context and data lie, and are never combined
// with them.
constexpr Axis kOutermostFirst[] = {Axis::kPipeline, Axis::kExpertData, Axis::kExpert,
                                    Axis::kData,     Axis::kContext,    Axis::kTensor};

}  // namespace

Mesh::Mesh(const MeshSizes& sizes) : sizes_(sizes) {
  check(sizes.pipeline > 0 && sizes.data > 0 && sizes.context > 0 && sizes.tensor > 0 &&
            sizes.expert > 0 && sizes.data * sizes.context % sizes.expert == 0,
        "a mesh has positive sizes, and its experts divide data x context");
}

Mesh::Extent Mesh::extent(Axis axis) const {
  const int replicas = sizes_.data * sizes_.context;
  switch (axis) {
    case Axis::kTensor:
      return {sizes_.tensor, 1};
    case Axis::kContext:
      return {sizes_.context, sizes_.tensor};
    case Axis::kData:
      return {sizes_.data, sizes_.tensor * sizes_.context};
    case Axis::kPipeline:
      return {sizes_.pipeline, sizes_.tensor * replicas};
    case Axis::kExpert:
      return {sizes_.expert, sizes_.tensor};
    case Axis::kExpertData:
      return {replicas / sizes_.expert, sizes_.tensor * sizes_.expert};
  }
  return {1, 1};
}

std::vector<Mesh::Extent> Mesh::extents(Axes axes) const {
  check(!((axes.has(Axis::kExpert) || axes.has(Axis::kExpertData)) &&
          (axes.has(Axis::kData) || axes.has(Axis::kContext))),
        "experts are folded over data x context, so a group is along one of the two");
  std::vector<Extent> result;
  for (const Axis axis : kOutermostFirst)
    if (axes.has(axis) && extent(axis).size > 1) result.push_back(extent(axis));
  return result;
}

Coordinates Mesh::coordinates(int rank) const {
  check(0 <= rank && rank < ranks(), "a rank of this mesh");
  const auto along = [&](Axis axis) {
    const auto [size, stride] = extent(axis);
    return rank / stride % size;
  };
  return {along(Axis::kPipeline), along(Axis::kData),   along(Axis::kContext),
          along(Axis::kTensor),   along(Axis::kExpert), along(Axis::kExpertData)};
}

int Mesh::rank(const Coordinates& at) const {
  return at.pipeline * extent(Axis::kPipeline).stride + at.data * extent(Axis::kData).stride +
         at.context * extent(Axis::kContext).stride + at.tensor;
}

int Mesh::size(Axes axes) const {
  int size = 1;
  for (const auto& extent : extents(axes)) size *= extent.size;
  return size;
}

std::vector<int> Mesh::group(int rank, Axes axes) const {
  check(0 <= rank && rank < ranks(), "a rank of this mesh");
  const auto along = extents(axes);
  int first = rank;
  for (const auto& [size, stride] : along) first -= rank / stride % size * stride;
  std::vector<int> group{first};
  for (const auto& [size, stride] : along) {
    std::vector<int> wider;
    for (const int member : group)
      for (int i = 0; i < size; ++i) wider.push_back(member + i * stride);
    group = std::move(wider);
  }
  return group;
}

int Mesh::index_in_group(int rank, Axes axes) const {
  int index = 0;
  for (const auto& [size, stride] : extents(axes)) index = index * size + rank / stride % size;
  return index;
}

}  // namespace phalanx::layout

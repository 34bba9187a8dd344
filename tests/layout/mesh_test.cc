#include "layout/mesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

namespace phalanx::layout {
namespace {

using testing::ElementsAre;

const std::vector<Axes> kCombinations = {
    Axis::kPipeline,
    Axis::kData,
    Axis::kContext,
    Axis::kTensor,
    Axis::kExpert,
    Axis::kExpertData,
    kGradientAxes,
    kModelAxes,
    kAllAxes,
    Axis::kExpert | Axis::kExpertData,
    Axis::kTensor | Axis::kContext,
    Axis::kPipeline | Axis::kTensor | Axis::kExpert,
};

// From a single rank to 16,384, every axis alone and all of them together.
const std::vector<MeshSizes> kMeshes = {
    {},
    {1, 6, 1, 1, 3},
    {1, 1, 5, 1, 5},
    {3, 2, 2, 2, 4},
    {4, 3, 2, 5, 2},
    {1, 1, 1, 8, 1},
    {16, 1, 1, 1, 1},
    {2, 4, 8, 2, 16},
    {16, 16, 8, 8, 64},   // 16,384 ranks
    {8, 128, 2, 8, 256},  // 16,384 ranks, all replicas one expert group
};

TEST(Mesh, GroupsOfEveryAxisAndCombinationPartitionTheRanks) {
  for (const auto& sizes : kMeshes) {
    const Mesh mesh(sizes);
    for (const auto axes : kCombinations) {
      std::vector<int> seen(static_cast<std::size_t>(mesh.ranks()), 0);
      for (int rank = 0; rank < mesh.ranks(); ++rank) {
        if (mesh.index_in_group(rank, axes) != 0) continue;
        for (const int member : mesh.group(rank, axes)) ++seen.at(static_cast<std::size_t>(member));
      }
      EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), mesh.ranks());
    }
  }
}

TEST(Mesh, EveryMemberOfAGroupSeesTheSameGroupAndItsOwnPlaceInIt) {
  for (const auto& sizes : kMeshes) {
    const Mesh mesh(sizes);
    for (const auto axes : kCombinations)
      for (const int rank : {0, mesh.ranks() / 3, mesh.ranks() - 1}) {
        const auto group = mesh.group(rank, axes);
        EXPECT_EQ(static_cast<int>(group.size()), mesh.size(axes));
        EXPECT_TRUE(std::is_sorted(group.begin(), group.end()));
        for (std::size_t i = 0; i < group.size(); ++i) {
          EXPECT_EQ(mesh.index_in_group(group[i], axes), static_cast<int>(i));
          if (i % 97 != 0) continue;
          EXPECT_EQ(mesh.group(group[i], axes), group);
        }
      }
  }
}

TEST(Mesh, RanksAndCoordinatesAreEachOthersInverse) {
  for (const auto& sizes : kMeshes) {
    const Mesh mesh(sizes);
    for (int rank = 0; rank < mesh.ranks(); ++rank) {
      const auto at = mesh.coordinates(rank);
      EXPECT_EQ(mesh.rank(at), rank);
      // The folding: both pairs of coordinates number the same replicas.
      EXPECT_EQ(at.data * sizes.context + at.context, at.expert_data * sizes.expert + at.expert);
    }
  }
}

TEST(Mesh, MembersOfAGroupDifferOnlyAlongItsAxes) {
  const Mesh mesh({3, 4, 2, 2, 4});
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    const auto own = mesh.coordinates(rank);
    for (const int member : mesh.group(rank, Axis::kExpertData)) {
      const auto other = mesh.coordinates(member);
      EXPECT_EQ(std::tuple(other.pipeline, other.tensor, other.expert),
                std::tuple(own.pipeline, own.tensor, own.expert));
    }
    for (const int member : mesh.group(rank, kGradientAxes)) {
      const auto other = mesh.coordinates(member);
      EXPECT_EQ(std::pair(other.pipeline, other.tensor), std::pair(own.pipeline, own.tensor));
    }
  }
}

TEST(Mesh, SizesOfTheAxesMultiplyToTheRanks) {
  for (const auto& sizes : kMeshes) {
    const Mesh mesh(sizes);
    EXPECT_EQ(mesh.size(Axis::kPipeline) * mesh.size(Axis::kData) * mesh.size(Axis::kContext) *
                  mesh.size(Axis::kTensor),
              mesh.ranks());
    EXPECT_EQ(mesh.size(Axis::kExpert) * mesh.size(Axis::kExpertData), mesh.size(kGradientAxes));
    EXPECT_EQ(mesh.size(kAllAxes), mesh.ranks());
  }
}

TEST(Mesh, TensorRanksAreNeighboursThenContextThenDataThenPipeline) {
  const Mesh mesh({2, 2, 2, 2, 2});
  EXPECT_THAT(mesh.group(0, Axis::kTensor), ElementsAre(0, 1));
  EXPECT_THAT(mesh.group(0, Axis::kContext), ElementsAre(0, 2));
  EXPECT_THAT(mesh.group(0, Axis::kData), ElementsAre(0, 4));
  EXPECT_THAT(mesh.group(0, Axis::kPipeline), ElementsAre(0, 8));
  EXPECT_THAT(mesh.group(5, kGradientAxes), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(mesh.group(5, Axis::kExpert), ElementsAre(5, 7));
  EXPECT_THAT(mesh.group(5, Axis::kExpertData), ElementsAre(1, 5));
}

TEST(Mesh, AnAxisOfOneIsAGroupOfTheRankAlone) {
  const Mesh mesh({4, 1, 1, 1, 1});
  EXPECT_THAT(mesh.group(3, Axis::kTensor), ElementsAre(3));
  EXPECT_EQ(mesh.index_in_group(3, Axis::kTensor), 0);
}

}  // namespace
}  // namespace phalanx::layout

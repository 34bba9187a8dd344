#include "layout/stage_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "layout/layout_error.h"

namespace phalanx::layout {
namespace {

std::vector<std::int64_t> layers_per_stage(std::int64_t layers, int stages,
                                           const PartCosts& costs) {
  std::vector<std::int64_t> counts;
  std::int64_t next = 0;
  for (const auto& stage : split_layers(layers, stages, costs)) {
    EXPECT_EQ(stage.first, next);
    next = stage.last;
    counts.push_back(stage.last - stage.first);
  }
  EXPECT_EQ(next, layers);
  return counts;
}

using testing::ElementsAre;

TEST(StageSplit, CutsEvenlyWhenEmbeddingAndHeadAreFree) {
  EXPECT_THAT(layers_per_stage(8, 4, {}), ElementsAre(2, 2, 2, 2));
}

// Llama 3 405B: 126 layers in 16 stages, of which the first and the last hold one layer less
// (Llama Team 2024, section 3.3.2); so do Zero Bubble's models of 22 layers in 8 stages.
TEST(StageSplit, GivesTheStagesOfEmbeddingAndHeadALayerLessWhenTheyCostOne) {
  EXPECT_THAT(layers_per_stage(22, 8, {1, 1, 1}), ElementsAre(2, 3, 3, 3, 3, 3, 3, 2));
  const auto llama = layers_per_stage(126, 16, {1, 1, 1});
  EXPECT_EQ(llama.front(), 7);
  EXPECT_EQ(llama.back(), 7);
  EXPECT_EQ(*std::max_element(llama.begin(), llama.end()), 8);
}

TEST(StageSplit, ALargeHeadIsAStageOfItsOwn) {
  EXPECT_THAT(layers_per_stage(6, 4, {0.1, 1, 9}), ElementsAre(2, 2, 2, 0));
}

TEST(StageSplit, AnUnevenNumberOfLayersDiffersByOneAtMost) {
  const auto counts = layers_per_stage(13, 5, {});
  EXPECT_LE(*std::max_element(counts.begin(), counts.end()) -
                *std::min_element(counts.begin(), counts.end()),
            1);
}

// No cut at all is better: compared with every one there is.
TEST(StageSplit, HasTheCheapestMostExpensiveStageOfAllCuts) {
  const PartCosts costs{0.7, 1.3, 2.9};
  const auto cost = [&](std::int64_t first, std::int64_t last) {
    return (first == 0 ? costs.embedding : 0) + (last == 7 ? costs.head : 0) +
           costs.layer * static_cast<double>(last - first);
  };
  double best = 1e9;
  for (std::int64_t a = 0; a <= 7; ++a)
    for (std::int64_t b = a; b <= 7; ++b)
      best = std::min(best, std::max({costs.embedding + 1.3 * static_cast<double>(a),
                                      1.3 * static_cast<double>(b - a),
                                      costs.head + 1.3 * static_cast<double>(7 - b)}));
  double worst = 0;
  for (const auto& stage : split_layers(7, 3, costs))
    worst = std::max(worst, cost(stage.first, stage.last));
  EXPECT_DOUBLE_EQ(worst, best);
}

TEST(StageSplit, RefusesMoreStagesThanParts) {
  EXPECT_THAT(layers_per_stage(2, 4, {1, 1, 1}), ElementsAre(0, 1, 1, 0));
  EXPECT_THROW(split_layers(2, 5, {1, 1, 1}), LayoutError);
}

}  // namespace
}  // namespace phalanx::layout

#include "layout/stage_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "layout/layout_error.h"

namespace phalanx::layout {
namespace {

struct Score {
  double worst = 0, squares = 0;

  auto operator<=>(const Score&) const = default;
  Score with(double cost) const { return {std::max(worst, cost), squares + cost * cost}; }
};

// The best cut of the first `part` parts into some number of stages, and where its last begins.
struct Cut {
  Score score;
  std::size_t last_begins = 0;
};
constexpr Score kImpossible{std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::infinity()};

// Sums of the costs of embedding, layers and head from the front.
std::vector<double> cost_before(std::int64_t layers, const PartCosts& costs) {
  std::vector<double> before{0, costs.embedding};
  for (std::int64_t i = 0; i < layers; ++i) before.push_back(before.back() + costs.layer);
  before.push_back(before.back() + costs.head);
  return before;
}

}  // namespace

std::vector<StageLayers> split_layers(std::int64_t layers, int stages, const PartCosts& costs) {
  check(layers >= 1 && stages >= 1, "a model has layers and a pipeline stages");
  const auto before = cost_before(layers, costs);
  const auto parts = before.size() - 1;
  if (static_cast<std::size_t>(stages) > parts)
    throw LayoutError(fmt::format("pipeline stages: expected at most {} for {} layers with "
                                  "embedding and head, found {}",
                                  parts, layers, stages),
                      fmt::format("{} stages would fit", parts));
  // best[s][i]: the first i parts in s stages.
  std::vector<std::vector<Cut>> best(static_cast<std::size_t>(stages) + 1,
                                     std::vector<Cut>(parts + 1, {kImpossible, 0}));
  best[0][0].score = {};
  for (std::size_t stage = 1; stage < best.size(); ++stage)
    for (std::size_t end = stage; end <= parts; ++end)
      for (std::size_t begin = stage - 1; begin < end; ++begin) {
        const Score score = best[stage - 1][begin].score.with(before[end] - before[begin]);
        if (score < best[stage][end].score) best[stage][end] = {score, begin};
      }
  std::vector<StageLayers> split(static_cast<std::size_t>(stages));
  auto end = parts;
  const auto layer_at = [&](std::size_t part) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(part) - 1, 0, layers);
  };
  for (auto stage = split.size(); stage-- > 0;) {
    const auto begin = best[stage + 1][end].last_begins;
    split[stage] = {layer_at(begin), layer_at(end), begin == 0, end == parts};
    end = begin;
  }
  return split;
}

}  // namespace phalanx::layout

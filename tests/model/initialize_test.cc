#include "model/initialize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace phalanx::model {
namespace {

config::Model two_layers() {
  config::Model model;
  model.layers = 2;
  return model;
}

template <class T = float>
std::vector<T> values_of(const layout::TensorSpec& spec, const layout::Region& region,
                         std::uint64_t seed = 1) {
  std::vector<T> values(static_cast<std::size_t>(region.elements()));
  initialize(spec, two_layers(), seed, region, std::span<T>(values));
  return values;
}

const layout::TensorSpec kMatrix{"layers.0.ffn.up.weight", {101, 37}};

TEST(Initialize, OfARegionEqualsTheSliceOfTheWhole) {
  const auto all = values_of(kMatrix, whole(kMatrix));
  for (const auto& region : {layout::Region{kMatrix.name, {0, 0}, {1, 37}},
                             layout::Region{kMatrix.name, {17, 0}, {50, 37}},
                             layout::Region{kMatrix.name, {3, 5}, {90, 11}},
                             layout::Region{kMatrix.name, {100, 36}, {1, 1}}}) {
    const auto part = values_of(kMatrix, region);
    std::size_t i = 0;
    for (auto row = region.offset[0]; row < region.offset[0] + region.extent[0]; ++row)
      for (auto column = region.offset[1]; column < region.offset[1] + region.extent[1]; ++column)
        ASSERT_EQ(part[i++], all[static_cast<std::size_t>(row * 37 + column)])
            << row << ' ' << column;
  }
}

struct Moments {
  double mean, deviation, fourth;
};

Moments moments_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const auto mean_of = [&](auto function) {
    return std::accumulate(values.begin(), values.end(), 0.0,
                           [&](double sum, double v) { return sum + function(v); }) /
           count;
  };
  const double mean = mean_of([](double v) { return v; });
  const double variance = mean_of([&](double v) { return (v - mean) * (v - mean); });
  const double fourth = mean_of([&](double v) { return std::pow(v - mean, 4); });
  return {mean, std::sqrt(variance), fourth / (variance * variance)};
}

TEST(Initialize, GivesNormalNumbersOfTheDeviationThatTheInitNames) {
  layout::TensorSpec spec{"head.weight", {500, 400}};
  for (const auto& [init, deviation] :
       {std::pair{layout::Init::kNormal, 0.02}, std::pair{layout::Init::kResidualNormal, 0.01}}) {
    spec.init = init;
    const auto found = moments_of(values_of<double>(spec, whole(spec)));
    EXPECT_NEAR(found.mean, 0, 5 * deviation / std::sqrt(200000.0));
    EXPECT_NEAR(found.deviation / deviation, 1, 0.01);
    EXPECT_NEAR(found.fourth, 3, 0.06);  // a normal distribution's kurtosis
  }
}

TEST(Initialize, GivesOtherNumbersForAnotherNameOrSeed) {
  auto renamed = kMatrix;
  renamed.name = "layers.1.ffn.up.weight";
  const auto values = values_of(kMatrix, whole(kMatrix));
  EXPECT_NE(values, values_of(renamed, whole(renamed)));
  EXPECT_NE(values, values_of(kMatrix, whole(kMatrix), 2));
}

TEST(Initialize, RoundsTheSameNumbersToFp32) {
  const auto exact = values_of<double>(kMatrix, whole(kMatrix));
  const auto rounded = values_of<float>(kMatrix, whole(kMatrix));
  for (std::size_t i = 0; i < exact.size(); ++i)
    ASSERT_EQ(rounded[i], static_cast<float>(exact[i]));
}

TEST(Initialize, SetsNormsToOne) {
  const layout::TensorSpec norm{"norm.weight", {24}, layout::Init::kOnes, false};
  EXPECT_EQ(values_of(norm, {norm.name, {3}, {8}}), std::vector<float>(8, 1.0f));
}

}  // namespace
}  // namespace phalanx::model

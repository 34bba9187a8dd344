#include "model/initialize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "base/philox.h"

namespace phalanx::model {
namespace {

double standard_deviation(const layout::TensorSpec& spec, const config::Model& model) {
  constexpr double kDeviation = 0.02;
  if (spec.init == layout::Init::kNormal) return kDeviation;
  return kDeviation / std::sqrt(2.0 * static_cast<double>(model.layers));
}

// Four independent normal numbers from one block of four uniform ones.
std::array<double, 4> normal_block(std::uint64_t seed, std::uint64_t site, std::uint64_t index) {
  const auto bits = random_block(seed, site, 0, index);
  std::array<double, 4> normal;
  for (std::size_t pair = 0; pair < 4; pair += 2) {
    const double uniform = (static_cast<double>(bits[pair]) + 0.5) * 0x1p-32;  // never 0
    const double radius = std::sqrt(-2.0 * std::log(uniform));
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(bits[pair + 1]) * 0x1p-32;
    normal[pair] = radius * std::cos(angle);
    normal[pair + 1] = radius * std::sin(angle);
  }
  return normal;
}

// Elements `first`, first + 1, ... of the whole tensor.
template <class T>
void normal_run(std::uint64_t seed, std::uint64_t site, std::uint64_t first, double deviation,
                std::span<T> values) {
  std::array<double, 4> block{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t element = first + i;
    if (i == 0 || element % 4 == 0) block = normal_block(seed, site, element / 4);
    values[i] = static_cast<T>(deviation * block[element % 4]);
  }
}

template <class T>
void fill(const layout::TensorSpec& spec, const config::Model& model, std::uint64_t seed,
          const layout::Region& region, std::span<T> values) {
  check(spec.shape.size() <= 2 && region.extent.size() == spec.shape.size() &&
            static_cast<std::int64_t>(values.size()) == region.elements(),
        "initialize: the region must fit the tensor, and the memory the region");
  if (spec.init == layout::Init::kOnes || spec.init == layout::Init::kZeros) {
    std::ranges::fill(values, T(spec.init == layout::Init::kOnes ? 1 : 0));
    return;
  }

  const bool matrix = spec.shape.size() == 2;
  const std::int64_t rows = matrix ? region.extent[0] : 1;
  const std::int64_t columns = region.extent.back();
  const double deviation = standard_deviation(spec, model);
  const std::uint64_t site = stable_hash(spec.name.c_str());
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t above = matrix ? (region.offset[0] + row) * spec.shape[1] : 0;
    normal_run(
        seed, site, static_cast<std::uint64_t>(above + region.offset.back()), deviation,
        values.subspan(static_cast<std::size_t>(row * columns), static_cast<std::size_t>(columns)));
  }
}

}  // namespace

void initialize(const layout::TensorSpec& spec, const config::Model& model, std::uint64_t seed,
                const layout::Region& region, std::span<float> values) {
  fill(spec, model, seed, region, values);
}

void initialize(const layout::TensorSpec& spec, const config::Model& model, std::uint64_t seed,
                const layout::Region& region, std::span<double> values) {
  fill(spec, model, seed, region, values);
}

layout::Region whole(const layout::TensorSpec& spec) {
  return {spec.name, std::vector<std::int64_t>(spec.shape.size(), 0), spec.shape};
}

}  // namespace phalanx::model

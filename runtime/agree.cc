#include "runtime/agree.h"

#include <cstring>

namespace phalanx::runtime {

std::vector<double> sum_over(comm::Group& group, std::span<const double> values) {
  constexpr std::size_t kFloats = sizeof(double) / sizeof(float);
  const auto ranks = static_cast<std::size_t>(group.size());
  // The wire carries floats and does no arithmetic in a gather: the doubles travel as their bytes.
  std::vector<float> mine(values.size() * kFloats);
  std::memcpy(mine.data(), values.data(), values.size_bytes());
  std::vector<float> all(mine.size() * ranks);
  group.all_gather(mine, all).wait();
  std::vector<double> gathered(values.size() * ranks);
  std::memcpy(gathered.data(), all.data(), gathered.size() * sizeof(double));
  std::vector<double> sums(values.size(), 0.0);
  for (std::size_t i = 0; i < gathered.size(); ++i) sums[i % values.size()] += gathered[i];
  return sums;
}

}  // namespace phalanx::runtime

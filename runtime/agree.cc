#include "runtime/agree.h"

namespace phalanx::runtime {

std::vector<double> sum_over(comm::Group& group, std::span<const double> values) {
  std::vector<double> sums(values.begin(), values.end());
  group.all_reduce(sums).wait();
  return sums;
}

}  // namespace phalanx::runtime

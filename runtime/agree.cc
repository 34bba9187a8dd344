#include "runtime/agree.h"

#include <ATen/ops/tensor.h>

#include "parallel/tensor_buffer.h"
#include "parallel/to_device.h"

namespace phalanx::runtime {

std::vector<double> sum_over(comm::Group& group, const at::Tensor& mine) {
  // The host waits, so that a sum that has failed throws before anybody reads it.
  group.all_reduce(parallel::buffer_of(mine)).wait();
  const auto sums = mine.cpu();
  const auto* begin = sums.const_data_ptr<double>();
  return {begin, begin + sums.numel()};
}

std::vector<double> sum_over(comm::Group& group, std::span<const double> mine, at::Device device) {
  return sum_over(group, parallel::to_device(
                             at::tensor(at::ArrayRef<double>(mine.data(), mine.size())), device));
}

}  // namespace phalanx::runtime

#include "kernels/total.h"

#include <ATen/ops/empty.h>

#include "kernels/device.h"

namespace phalanx::kernels {

at::Tensor total(const at::Tensor& values) {
  auto sum = at::empty({1}, values.options());
  perform_on(values.device().type(), Total{values.const_data_ptr<double>(), values.numel(),
                                           sum.mutable_data_ptr<double>()});
  return sum;
}

}  // namespace phalanx::kernels

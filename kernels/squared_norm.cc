#include "kernels/squared_norm.h"

#include <ATen/ops/empty.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {

at::Tensor squared_norm(const at::Tensor& values) {
  check(values.is_contiguous(), "squared_norm: expected contiguous values");
  auto norm = at::empty({1}, values.options().dtype(at::kDouble));
  for_element_type(values, [&]<class T>(T) {
    perform_on(values.device().type(), SquaredNorm<T>{values.const_data_ptr<T>(), values.numel(),
                                                      norm.mutable_data_ptr<double>()});
  });
  return norm;
}

}  // namespace phalanx::kernels

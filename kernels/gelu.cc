#include "kernels/gelu.h"

#include <ATen/ops/empty_like.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {

at::Tensor gelu(const at::Tensor& x) {
  check(x.is_contiguous(), "gelu: x must be contiguous");
  auto y = at::empty_like(x);
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(),
               GeluForward<T>{x.const_data_ptr<T>(), y.mutable_data_ptr<T>(), x.numel()});
  });
  return y;
}

void gelu_backward(at::Tensor& dy, at::Tensor& x) {
  check(dy.sizes() == x.sizes() && dy.is_contiguous(), "gelu: dy must have the shape of x");
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(),
               GeluBackward<T>{dy.mutable_data_ptr<T>(), x.mutable_data_ptr<T>(), x.numel()});
  });
}

}  // namespace phalanx::kernels

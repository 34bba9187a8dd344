#include "kernels/rms_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {

RmsNorm rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const Rows rows = rows_of(x);
  check(x.is_contiguous() && weight.numel() == rows.width, "rms_norm: x must be [..., width]");
  RmsNorm result{at::empty_like(x), at::empty({rows.count}, weight.options())};
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(),
               RmsNormForward<T>{x.const_data_ptr<T>(), weight.const_data_ptr<Wide<T>>(),
                                 static_cast<Wide<T>>(epsilon), result.y.mutable_data_ptr<T>(),
                                 result.inverse_rms.mutable_data_ptr<Wide<T>>(), rows});
  });
  return result;
}

RmsNormGradient rms_norm_backward(at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& inverse_rms, const at::Tensor& residual) {
  const Rows rows = rows_of(x);
  check(dy.is_contiguous() && dy.numel() == x.numel(), "rms_norm: dy must have the shape of x");
  RmsNormGradient result{at::empty_like(x), at::zeros_like(weight)};
  for_activation_type(x, [&]<class T>(T) {
    perform_on(
        x.device().type(),
        RmsNormBackward<T>{dy.mutable_data_ptr<T>(), x.const_data_ptr<T>(),
                           residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                           weight.const_data_ptr<Wide<T>>(), inverse_rms.const_data_ptr<Wide<T>>(),
                           result.dx.mutable_data_ptr<T>(),
                           result.dweight.mutable_data_ptr<Wide<T>>(), rows});
  });
  return result;
}

}  // namespace phalanx::kernels

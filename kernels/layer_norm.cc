#include "kernels/layer_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {

LayerNorm layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon) {
  const Rows rows = rows_of(x);
  check(x.is_contiguous() && weight.numel() == rows.width && bias.numel() == rows.width,
        "layer_norm: x must be [..., width], weight and bias [width]");
  LayerNorm result{at::empty_like(x), at::empty({rows.count}, weight.options()),
                   at::empty({rows.count}, weight.options())};
  for_activation_type(x, [&]<class T>(T) {
    perform_on(
        x.device().type(),
        LayerNormForward<T>{x.const_data_ptr<T>(), weight.const_data_ptr<Wide<T>>(),
                            bias.const_data_ptr<Wide<T>>(), static_cast<Wide<T>>(epsilon),
                            result.y.mutable_data_ptr<T>(), result.mean.mutable_data_ptr<Wide<T>>(),
                            result.inverse_deviation.mutable_data_ptr<Wide<T>>(), rows});
  });
  return result;
}

LayerNormGradient layer_norm_backward(at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight,
                                      const at::Tensor& bias, const at::Tensor& mean,
                                      const at::Tensor& inverse_deviation,
                                      const at::Tensor& residual) {
  const Rows rows = rows_of(x);
  check(dy.is_contiguous() && dy.numel() == x.numel(), "layer_norm: dy must have the shape of x");
  LayerNormGradient result{at::empty_like(x), at::zeros_like(weight), at::zeros_like(weight)};
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(),
               LayerNormBackward<T>{
                   dy.mutable_data_ptr<T>(), x.const_data_ptr<T>(),
                   residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                   weight.const_data_ptr<Wide<T>>(), bias.const_data_ptr<Wide<T>>(),
                   mean.const_data_ptr<Wide<T>>(), inverse_deviation.const_data_ptr<Wide<T>>(),
                   result.dx.mutable_data_ptr<T>(), result.dweight.mutable_data_ptr<Wide<T>>(),
                   result.dbias.mutable_data_ptr<Wide<T>>(), rows});
  });
  return result;
}

}  // namespace phalanx::kernels

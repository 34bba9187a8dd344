#include "kernels/bias.h"

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

Rows checked_rows(const at::Tensor& y, const at::Tensor& bias) {
  check(y.is_contiguous() && bias.is_contiguous() && y.size(-1) == bias.numel(),
        "bias: expected rows as long as the bias");
  return rows_of(y);
}

}  // namespace

void add_bias(at::Tensor& y, const at::Tensor& bias) {
  const Rows rows = checked_rows(y, bias);
  for_activation_type(y, [&]<class T>(T) {
    perform_on(y.device().type(),
               BiasForward<T>{y.mutable_data_ptr<T>(), bias.const_data_ptr<Wide<T>>(), rows});
  });
}

void add_bias_backward(const at::Tensor& dy, at::Tensor dbias) {
  const Rows rows = checked_rows(dy, dbias);
  for_activation_type(dy, [&]<class T>(T) {
    perform_on(dy.device().type(),
               BiasBackward<T>{dy.const_data_ptr<T>(), dbias.mutable_data_ptr<Wide<T>>(), rows});
  });
}

}  // namespace phalanx::kernels

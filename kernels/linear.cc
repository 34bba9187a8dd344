#include "kernels/linear.h"

#include <ATen/ops/empty.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

at::Tensor empty_rows(const at::Tensor& like, std::int64_t width) {
  auto shape = like.sizes().vec();
  shape.back() = width;
  return at::empty(shape, like.options());
}

void check_operands(const at::Tensor& rows, const at::Tensor& weight, std::int64_t width) {
  check(rows.is_contiguous() && weight.is_contiguous() && rows.size(-1) == width,
        "linear: operands must be contiguous and fit the weight [outputs, inputs]");
}

void check_same_type(const at::Tensor& a, const at::Tensor& b) {
  check(a.scalar_type() == b.scalar_type(), "linear: operands must be of one type");
}

// y = x weight^T, or y += it
void product(const at::Tensor& x, const at::Tensor& weight, Into into, at::Tensor& y) {
  const std::int64_t outputs = weight.size(0), inputs = weight.size(1);
  check_operands(x, weight, inputs);
  check_same_type(x, weight);
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(),
               Product<T, T>{rows_of(x).count,
                             outputs,
                             inputs,
                             {x.const_data_ptr<T>(), inputs},
                             {weight.const_data_ptr<T>(), inputs, Transpose::kYes},
                             into,
                             {y.mutable_data_ptr<T>(), outputs}});
  });
}

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight) {
  auto y = empty_rows(x, weight.size(0));
  product(x, weight, Into::kNew, y);
  return y;
}

void linear_into(const at::Tensor& x, const at::Tensor& weight, at::Tensor y) {
  check_operands(y, weight, weight.size(0));
  product(x, weight, Into::kNew, y);
}

at::Tensor linear_plus(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& residual) {
  auto y = residual.clone();
  product(x, weight, Into::kSum, y);
  return y;
}

at::Tensor linear_backward_input(const at::Tensor& dy, const at::Tensor& weight) {
  auto dx = empty_rows(dy, weight.size(1));
  linear_backward_input_into(dy, weight, dx);
  return dx;
}

void linear_backward_input_into(const at::Tensor& dy, const at::Tensor& weight, at::Tensor dx) {
  const std::int64_t outputs = weight.size(0), inputs = weight.size(1);
  check(dy.is_contiguous() && dx.is_contiguous() && weight.stride(1) == 1 &&
            dy.size(-1) == outputs && dx.size(-1) == inputs,
        "linear: operands must fit columns of a weight [outputs, inputs]");
  check_same_type(dy, weight);
  for_activation_type(dy, [&]<class T>(T) {
    perform_on(dy.device().type(), Product<T, T>{rows_of(dy).count,
                                                 inputs,
                                                 outputs,
                                                 {dy.const_data_ptr<T>(), outputs},
                                                 {weight.const_data_ptr<T>(), weight.stride(0)},
                                                 Into::kNew,
                                                 {dx.mutable_data_ptr<T>(), inputs}});
  });
}

void add_linear_backward_weight(const at::Tensor& dy, const at::Tensor& x, at::Tensor dweight) {
  const std::int64_t outputs = dweight.size(0), inputs = dweight.size(1);
  check_operands(dy, dweight, outputs);
  check_operands(x, dweight, inputs);
  check_same_type(dy, x);
  for_activation_type(dy, [&]<class T>(T) {
    perform_on(dy.device().type(),
               Product<T, Wide<T>>{outputs,
                                   inputs,
                                   rows_of(x).count,
                                   {dy.const_data_ptr<T>(), outputs, Transpose::kYes},
                                   {x.const_data_ptr<T>(), inputs},
                                   Into::kSum,
                                   {dweight.mutable_data_ptr<Wide<T>>(), inputs}});
  });
}

}  // namespace phalanx::kernels

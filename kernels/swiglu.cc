#include "kernels/swiglu.h"

#include <ATen/ops/empty.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

// Of the result.
Rows half_rows_of(const at::Tensor& gate_up) {
  const std::int64_t width = gate_up.size(-1) / 2;
  check(gate_up.is_contiguous() && gate_up.size(-1) % 2 == 0,
        "swiglu: expected gate and up side by side, [..., 2 * width]");
  return {gate_up.numel() / (2 * width), width};
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) {
  const Rows rows = half_rows_of(gate_up);
  auto shape = gate_up.sizes().vec();
  shape.back() = rows.width;
  auto y = at::empty(shape, gate_up.options());
  for_activation_type(gate_up, [&]<class T>(T) {
    perform_on(gate_up.device().type(),
               SwigluForward<T>{gate_up.const_data_ptr<T>(), y.mutable_data_ptr<T>(), rows});
  });
  return y;
}

void swiglu_backward(at::Tensor& dy, at::Tensor& gate_up) {
  const Rows rows = half_rows_of(gate_up);
  check(dy.is_contiguous() && dy.numel() == rows.count * rows.width,
        "swiglu: dy must have the shape of y");
  for_activation_type(gate_up, [&]<class T>(T) {
    perform_on(gate_up.device().type(),
               SwigluBackward<T>{dy.mutable_data_ptr<T>(), gate_up.mutable_data_ptr<T>(), rows});
  });
}

}  // namespace phalanx::kernels

#include "kernels/sigmoid_gate.h"

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

Rows checked_rows(const at::Tensor& x, const at::Tensor& logits, const at::Tensor& y) {
  const Rows rows = rows_of(x);
  check(x.is_contiguous() && y.is_contiguous() && logits.is_contiguous() &&
            x.numel() == y.numel() && logits.numel() == rows.count,
        "sigmoid gate: expected rows of one shape and a logit for each");
  return rows;
}

}  // namespace

void add_gated(const at::Tensor& x, const at::Tensor& logits, at::Tensor y) {
  const Rows rows = checked_rows(x, logits, y);
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(), GateForward<T>{x.const_data_ptr<T>(), logits.const_data_ptr<T>(),
                                                 y.mutable_data_ptr<T>(), rows});
  });
}

void add_gated_backward(const at::Tensor& dy, at::Tensor& x, at::Tensor& logits) {
  const Rows rows = checked_rows(x, logits, dy);
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(), GateBackward<T>{dy.const_data_ptr<T>(), x.mutable_data_ptr<T>(),
                                                  logits.mutable_data_ptr<T>(), rows});
  });
}

}  // namespace phalanx::kernels

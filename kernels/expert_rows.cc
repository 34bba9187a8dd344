#include "kernels/expert_rows.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "kernels/device.h"
#include "kernels/element_type.h"

namespace phalanx::kernels {
namespace {

const std::int64_t* indices(const at::Tensor& tensor) {
  return tensor.const_data_ptr<std::int64_t>();
}

// row i of the result = row index[i] / divisor of x.
at::Tensor gathered(const at::Tensor& x, const at::Tensor& index, std::int64_t divisor) {
  check(x.is_contiguous() && x.dim() == 2, "expert rows: expected rows [count, width]");
  const Rows rows{index.numel(), x.size(1)};
  auto y = at::empty({rows.count, rows.width}, x.options());
  for_activation_type(x, [&]<class T>(T) {
    perform_on(x.device().type(), GatherRows<T>{x.const_data_ptr<T>(), indices(index), divisor,
                                                y.mutable_data_ptr<T>(), rows});
  });
  return y;
}

void check_rows(const at::Tensor& rows, const ExpertOrder& order, const at::Tensor& y) {
  check(rows.is_contiguous() && y.is_contiguous() && rows.size(0) == order.count() &&
            y.size(0) * order.chosen == order.count() && rows.size(1) == y.size(1),
        "expert rows: expected a row for each choice, and a vector for each token");
}

}  // namespace

ExpertOrder order_by_expert(const at::Tensor& experts, std::int64_t count) {
  check(experts.is_contiguous() && experts.scalar_type() == at::kLong && experts.dim() == 2,
        "expert rows: expected int64 [tokens, chosen]");
  const std::int64_t choices = experts.numel();
  ExpertOrder order{at::empty({choices}, experts.options()),
                    at::empty({choices}, experts.options()), at::empty({count}, experts.options()),
                    experts.size(1)};
  perform_on(experts.device().type(),
             OrderByExpert{indices(experts), choices, count,
                           order.choice_of_row.mutable_data_ptr<std::int64_t>(),
                           order.row_of_choice.mutable_data_ptr<std::int64_t>(),
                           order.rows_of_expert.mutable_data_ptr<std::int64_t>()});
  return order;
}

at::Tensor rows_of_tokens(const at::Tensor& x, const ExpertOrder& order) {
  check(x.size(0) * order.chosen == order.count(), "expert rows: expected a vector for each token");
  return gathered(x, order.choice_of_row, order.chosen);
}

at::Tensor choices_of_rows(const at::Tensor& rows, const ExpertOrder& order) {
  check(rows.size(0) == order.count(), "expert rows: expected a row for each choice");
  return gathered(rows, order.row_of_choice, 1);
}

void add_rows(const at::Tensor& rows, const ExpertOrder& order, const at::Tensor& weights,
              at::Tensor y) {
  check_rows(rows, order, y);
  for_activation_type(rows, [&]<class T>(T) {
    perform_on(rows.device().type(),
               AddRows<T>{rows.const_data_ptr<T>(), indices(order.row_of_choice),
                          weights.defined() ? weights.const_data_ptr<Wide<T>>() : nullptr,
                          order.chosen, y.mutable_data_ptr<T>(), rows_of(y)});
  });
}

RowGradients add_rows_backward(const at::Tensor& dy, const at::Tensor& rows,
                               const ExpertOrder& order, const at::Tensor& weights) {
  check_rows(rows, order, dy);
  RowGradients gradients{at::empty_like(rows), at::empty_like(weights)};
  for_activation_type(rows, [&]<class T>(T) {
    perform_on(
        rows.device().type(),
        AddRowsBackward<T>{dy.const_data_ptr<T>(), rows.const_data_ptr<T>(),
                           indices(order.choice_of_row), weights.const_data_ptr<Wide<T>>(),
                           order.chosen, gradients.drows.template mutable_data_ptr<T>(),
                           gradients.dweights.template mutable_data_ptr<Wide<T>>(), rows_of(rows)});
  });
  return gradients;
}

}  // namespace phalanx::kernels

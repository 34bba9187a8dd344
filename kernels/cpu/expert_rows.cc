#include "kernels/expert_rows.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <numeric>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

const std::int64_t* indices(const at::Tensor& tensor) {
  return tensor.const_data_ptr<std::int64_t>();
}

// Adds the choices' rows to one token's y.
template <class T>
PHALANX_INLINE void add_choices(const T* rows, const std::int64_t* row_of_choice,
                                const Wide<T>* weights, std::int64_t chosen, std::int64_t width,
                                Wide<T>* sum, T* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) sum[i] = wide(y[i]);
  for (std::int64_t j = 0; j < chosen; ++j) {
    const T* row = rows + row_of_choice[j] * width;
    const Wide<T> weight = weights == nullptr ? Wide<T>(1) : weights[j];
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) sum[i] += weight * wide(row[i]);
  }
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) y[i] = rounded<T>(sum[i]);
}

// One row's part of the backward pass; returns row . dy.
template <class T>
PHALANX_INLINE Wide<T> scale_and_dot(const T* dy, const T* row, Wide<T> weight, std::int64_t width,
                                     T* drow) {
  Wide<T> dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t i = 0; i < width; ++i) {
    drow[i] = rounded<T>(weight * wide(dy[i]));
    dot += wide(row[i]) * wide(dy[i]);
  }
  return dot;
}

PHALANX_VECTORIZED void run(const float* rows, const std::int64_t* row_of_choice,
                            const float* weights, std::int64_t chosen, std::int64_t width,
                            float* sum, float* y) {
  add_choices(rows, row_of_choice, weights, chosen, width, sum, y);
}
PHALANX_VECTORIZED void run(const double* rows, const std::int64_t* row_of_choice,
                            const double* weights, std::int64_t chosen, std::int64_t width,
                            double* sum, double* y) {
  add_choices(rows, row_of_choice, weights, chosen, width, sum, y);
}
PHALANX_VECTORIZED void run(const Bf16* rows, const std::int64_t* row_of_choice,
                            const float* weights, std::int64_t chosen, std::int64_t width,
                            float* sum, Bf16* y) {
  add_choices(rows, row_of_choice, weights, chosen, width, sum, y);
}
PHALANX_VECTORIZED float run_backward(const float* dy, const float* row, float weight,
                                      std::int64_t width, float* drow) {
  return scale_and_dot(dy, row, weight, width, drow);
}
PHALANX_VECTORIZED double run_backward(const double* dy, const double* row, double weight,
                                       std::int64_t width, double* drow) {
  return scale_and_dot(dy, row, weight, width, drow);
}
PHALANX_VECTORIZED float run_backward(const Bf16* dy, const Bf16* row, float weight,
                                      std::int64_t width, Bf16* drow) {
  return scale_and_dot(dy, row, weight, width, drow);
}

// row i of the result = row at(i) of x.
template <class At>
at::Tensor gathered(const at::Tensor& x, std::int64_t count, const At& at) {
  check(x.is_contiguous() && x.dim() == 2, "expert rows: expected rows [count, width]");
  const std::int64_t width = x.size(1);
  auto y = at::empty({count, width}, x.options());
  for_activation_type(x, [&]<class T>(T) {
    const T* from = x.const_data_ptr<T>();
    T* to = y.mutable_data_ptr<T>();
    for (std::int64_t i = 0; i < count; ++i)
      std::copy_n(from + at(i) * width, width, to + i * width);
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
  ExpertOrder order{at::empty({choices}, at::kLong), at::empty({choices}, at::kLong),
                    experts.size(1), std::vector<std::int64_t>(static_cast<std::size_t>(count))};
  const auto* expert = indices(experts);
  for (std::int64_t c = 0; c < choices; ++c) {
    check(expert[c] >= 0 && expert[c] < count, "expert rows: a choice beyond the experts");
    ++order.rows[static_cast<std::size_t>(expert[c])];
  }
  std::vector<std::int64_t> next(order.rows.size());
  std::exclusive_scan(order.rows.begin(), order.rows.end(), next.begin(), std::int64_t{0});
  auto* choice_of_row = order.choice_of_row.mutable_data_ptr<std::int64_t>();
  auto* row_of_choice = order.row_of_choice.mutable_data_ptr<std::int64_t>();
  for (std::int64_t c = 0; c < choices; ++c) {
    row_of_choice[c] = next[static_cast<std::size_t>(expert[c])]++;
    choice_of_row[row_of_choice[c]] = c;
  }
  return order;
}

at::Tensor rows_of_tokens(const at::Tensor& x, const ExpertOrder& order) {
  check(x.size(0) * order.chosen == order.count(), "expert rows: expected a vector for each token");
  const auto* choice = indices(order.choice_of_row);
  return gathered(x, order.count(), [&](std::int64_t row) { return choice[row] / order.chosen; });
}

at::Tensor choices_of_rows(const at::Tensor& rows, const ExpertOrder& order) {
  check(rows.size(0) == order.count(), "expert rows: expected a row for each choice");
  const auto* row = indices(order.row_of_choice);
  return gathered(rows, order.count(), [&](std::int64_t choice) { return row[choice]; });
}

void add_rows(const at::Tensor& rows, const ExpertOrder& order, const at::Tensor& weights,
              at::Tensor y) {
  check_rows(rows, order, y);
  const std::int64_t width = y.size(1), tokens = y.size(0);
  for_activation_type(rows, [&]<class T>(T) {
    const auto* weight = weights.defined() ? weights.const_data_ptr<Wide<T>>() : nullptr;
    std::vector<Wide<T>> sum(static_cast<std::size_t>(width));
    for (std::int64_t t = 0; t < tokens; ++t)
      run(rows.const_data_ptr<T>(), indices(order.row_of_choice) + t * order.chosen,
          weight == nullptr ? weight : weight + t * order.chosen, order.chosen, width, sum.data(),
          y.mutable_data_ptr<T>() + t * width);
  });
}

RowGradients add_rows_backward(const at::Tensor& dy, const at::Tensor& rows,
                               const ExpertOrder& order, const at::Tensor& weights) {
  check_rows(rows, order, dy);
  const std::int64_t width = dy.size(1);
  RowGradients gradients{at::empty_like(rows), at::empty_like(weights)};
  const auto* choice = indices(order.choice_of_row);
  for_activation_type(rows, [&]<class T>(T) {
    const auto* weight = weights.const_data_ptr<Wide<T>>();
    auto* dweight = gradients.dweights.mutable_data_ptr<Wide<T>>();
    for (std::int64_t r = 0; r < order.count(); ++r)
      dweight[choice[r]] =
          run_backward(dy.const_data_ptr<T>() + choice[r] / order.chosen * width,
                       rows.const_data_ptr<T>() + r * width, weight[choice[r]], width,
                       gradients.drows.template mutable_data_ptr<T>() + r * width);
  });
  return gradients;
}

}  // namespace phalanx::kernels

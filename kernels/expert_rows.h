#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace phalanx::kernels {

// The choices of tokens put in order, one row for each: by expert, among the rows of an expert by
// token (stable, so that sums over an expert's rows have one order).
struct ExpertOrder {
  at::Tensor choice_of_row;   // int64 [rows]: token * chosen + place
  at::Tensor row_of_choice;   // int64 [tokens * chosen], the inverse
  at::Tensor rows_of_expert;  // int64 [experts]; they follow one another
  std::int64_t chosen = 0;    // experts of a token

  std::int64_t count() const { return choice_of_row.numel(); }
};
// `experts` int64 [tokens, chosen], each in [0, count).
ExpertOrder order_by_expert(const at::Tensor& experts, std::int64_t count);

// The tokens' vectors x [tokens, width] in the order of the rows: [rows, width].
at::Tensor rows_of_tokens(const at::Tensor& x, const ExpertOrder& order);
// The same backwards: as many vectors as choices, each choice's row.
at::Tensor choices_of_rows(const at::Tensor& rows, const ExpertOrder& order);

// y[token] += sum over its choices, in their order, of weights[choice] * row; summed wide and
// rounded once. weights [tokens, chosen], fp32 where rows are bf16; undefined: all are 1.
void add_rows(const at::Tensor& rows, const ExpertOrder& order, const at::Tensor& weights,
              at::Tensor y);

// The gradients of add_rows, given that of y: drows[row] = weight * dy[token], and dweights[choice]
// = row . dy[token].
struct RowGradients {
  at::Tensor drows, dweights;
};
RowGradients add_rows_backward(const at::Tensor& dy, const at::Tensor& rows,
                               const ExpertOrder& order, const at::Tensor& weights);

}  // namespace phalanx::kernels

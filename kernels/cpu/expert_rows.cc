#include <algorithm>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/simd.h"
#include "kernels/device.h"

namespace phalanx::kernels {
namespace {

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

template <class T>
PHALANX_INLINE void add_all(AddRows<T> a) {
  std::vector<Wide<T>> sum(static_cast<std::size_t>(a.rows.width));
  for (std::int64_t t = 0; t < a.rows.count; ++t)
    add_choices(a.from, a.row_of_choice + t * a.chosen,
                a.weights == nullptr ? nullptr : a.weights + t * a.chosen, a.chosen, a.rows.width,
                sum.data(), a.y + t * a.rows.width);
}

template <class T>
PHALANX_INLINE void add_all_backward(AddRowsBackward<T> a) {
  const std::int64_t width = a.rows.width;
  for (std::int64_t r = 0; r < a.rows.count; ++r) {
    const std::int64_t choice = a.choice_of_row[r];
    a.dweights[choice] = scale_and_dot(a.dy + choice / a.chosen * width, a.from + r * width,
                                       a.weights[choice], width, a.dfrom + r * width);
  }
}

template <class T>
void gather(const GatherRows<T>& a) {
  for (std::int64_t i = 0; i < a.rows.count; ++i)
    std::copy_n(a.from + a.index[i] / a.divisor * a.rows.width, a.rows.width,
                a.to + i * a.rows.width);
}

}  // namespace

template <>
void perform<Cpu>(const OrderByExpert& a) {
  std::fill_n(a.rows_of_expert, a.count, 0);
  for (std::int64_t c = 0; c < a.choices; ++c) {
    check(a.experts[c] >= 0 && a.experts[c] < a.count, "expert rows: a choice beyond the experts");
    ++a.rows_of_expert[a.experts[c]];
  }
  std::vector<std::int64_t> next(static_cast<std::size_t>(a.count));
  std::exclusive_scan(a.rows_of_expert, a.rows_of_expert + a.count, next.begin(), std::int64_t{0});
  for (std::int64_t c = 0; c < a.choices; ++c) {
    a.row_of_choice[c] = next[static_cast<std::size_t>(a.experts[c])]++;
    a.choice_of_row[a.row_of_choice[c]] = c;
  }
}
template <>
void perform<Cpu>(const GatherRows<float>& a) {
  gather(a);
}
template <>
void perform<Cpu>(const GatherRows<double>& a) {
  gather(a);
}
template <>
void perform<Cpu>(const GatherRows<Bf16>& a) {
  gather(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AddRows<float>& a) {
  add_all(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AddRows<double>& a) {
  add_all(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AddRows<Bf16>& a) {
  add_all(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AddRowsBackward<float>& a) {
  add_all_backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AddRowsBackward<double>& a) {
  add_all_backward(a);
}
template <>
PHALANX_VECTORIZED void perform<Cpu>(const AddRowsBackward<Bf16>& a) {
  add_all_backward(a);
}

}  // namespace phalanx::kernels

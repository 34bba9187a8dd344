#include "kernels/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

constexpr std::int64_t kBlock = 64;  // query rows at a time: their scores stay in the cache

struct Shape {
  std::int64_t sequences, length, heads, kv_heads, head_width;

  std::int64_t query_stride() const { return heads * head_width; }
  std::int64_t key_stride() const { return kv_heads * head_width; }
  // Where the first position of a head is, in elements.
  std::int64_t query(std::int64_t sequence, std::int64_t head) const {
    return sequence * length * query_stride() + head * head_width;
  }
  std::int64_t key(std::int64_t sequence, std::int64_t head) const {
    return sequence * length * key_stride() + head / (heads / kv_heads) * head_width;
  }
  std::int64_t row(std::int64_t sequence, std::int64_t head) const {
    return (sequence * heads + head) * length;
  }
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_width)); }
};

// Rows of scores [rows, columns], of the queries from `first` on, against positions 0 to columns
// - 1.
struct Block {
  std::int64_t first, rows, columns;
};

template <class Body>
void for_each_block(std::int64_t length, const Body& body) {
  for (std::int64_t first = 0; first < length; first += kBlock) {
    const std::int64_t rows = std::min(kBlock, length - first);
    body(Block{first, rows, first + rows});
  }
}

// Each row becomes its softmax over the positions that it sees, and zero beyond.
template <class T>
PHALANX_INLINE void causal_softmax(T* scores, T* log_sum_exp, Block block) {
  for (std::int64_t r = 0; r < block.rows; ++r, scores += block.columns) {
    const std::int64_t seen = block.first + r + 1;
    T largest = -std::numeric_limits<T>::infinity(), sum = 0;
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < seen; ++i) largest = largest > scores[i] ? largest : scores[i];
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < seen; ++i) {
      scores[i] = exponential(scores[i] - largest);
      sum += scores[i];
    }
    const T inverse = T(1) / sum;
#pragma omp simd
    for (std::int64_t i = 0; i < seen; ++i) scores[i] *= inverse;
    std::fill(scores + seen, scores + block.columns, T(0));
    log_sum_exp[r] = largest + std::log(sum);
  }
}

// `scores` become the probabilities p, and `dp` the gradient of the scores, p * (dp - dot) * scale.
template <class T>
PHALANX_INLINE void causal_softmax_backward(T* scores, T* dp, const T* log_sum_exp, const T* dot,
                                            T scale, Block block) {
  for (std::int64_t r = 0; r < block.rows; ++r, scores += block.columns, dp += block.columns) {
    const std::int64_t seen = block.first + r + 1;
    const T shift = log_sum_exp[r], along = dot[r];
#pragma omp simd
    for (std::int64_t i = 0; i < seen; ++i) {
      scores[i] = exponential(scores[i] - shift);
      dp[i] = scores[i] * (dp[i] - along) * scale;
    }
    std::fill(scores + seen, scores + block.columns, T(0));
    std::fill(dp + seen, dp + block.columns, T(0));
  }
}

PHALANX_VECTORIZED void softmax(float* scores, float* log_sum_exp, Block block) {
  causal_softmax(scores, log_sum_exp, block);
}
PHALANX_VECTORIZED void softmax(double* scores, double* log_sum_exp, Block block) {
  causal_softmax(scores, log_sum_exp, block);
}
PHALANX_VECTORIZED void softmax_backward(float* scores, float* dp, const float* log_sum_exp,
                                         const float* dot, float scale, Block block) {
  causal_softmax_backward(scores, dp, log_sum_exp, dot, scale, block);
}
PHALANX_VECTORIZED void softmax_backward(double* scores, double* dp, const double* log_sum_exp,
                                         const double* dot, double scale, Block block) {
  causal_softmax_backward(scores, dp, log_sum_exp, dot, scale, block);
}

// One head of one sequence; q, k, v and out point to its first position.
template <class T>
void forward_head(const T* q, const T* k, const T* v, T* out, T* log_sum_exp, T* scores,
                  const Shape& shape) {
  const std::int64_t width = shape.head_width, qs = shape.query_stride(), ks = shape.key_stride();
  for_each_block(shape.length, [&](Block b) {
    const Matrix<T> p{scores, b.columns};
    gemm(b.rows, b.columns, width, static_cast<T>(shape.scale()),
         Matrix<const T>{q + b.first * qs, qs}, Matrix<const T>{k, ks, Transpose::kYes}, T(0), p);
    softmax(scores, log_sum_exp + b.first, b);
    gemm(b.rows, width, b.columns, T(1), Matrix<const T>{scores, b.columns}, Matrix<const T>{v, ks},
         T(0), Matrix<T>{out + b.first * qs, qs});
  });
}

template <class T>
struct Head {
  const T *dout, *q, *k, *v, *out, *log_sum_exp;
  T *dq, *dk, *dv;
};

// The dot product of each row of dout and out: what the softmax's gradient subtracts.
template <class T>
void row_dots(const Head<T>& h, Block b, const Shape& shape, T* dots) {
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const std::int64_t at = (b.first + r) * shape.query_stride();
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < shape.head_width; ++i) sum += h.dout[at + i] * h.out[at + i];
    dots[r] = sum;
  }
}

template <class T>
void backward_head(const Head<T>& h, T* scores, T* dp, const Shape& shape) {
  const std::int64_t width = shape.head_width, qs = shape.query_stride(), ks = shape.key_stride();
  const T scale = static_cast<T>(shape.scale());
  for_each_block(shape.length, [&](Block b) {
    const std::int64_t at = b.first * qs, columns = b.columns;
    const Matrix<const T> dout{h.dout + at, qs}, q{h.q + at, qs}, k{h.k, ks};
    T dots[kBlock];
    row_dots(h, b, shape, dots);
    gemm(b.rows, columns, width, scale, q, Matrix<const T>{h.k, ks, Transpose::kYes}, T(0),
         Matrix<T>{scores, columns});
    gemm(b.rows, columns, width, T(1), dout, Matrix<const T>{h.v, ks, Transpose::kYes}, T(0),
         Matrix<T>{dp, columns});
    softmax_backward(scores, dp, h.log_sum_exp + b.first, dots, scale, b);
    gemm(columns, width, b.rows, T(1), Matrix<const T>{scores, columns, Transpose::kYes}, dout,
         T(1), Matrix<T>{h.dv, ks});
    gemm(b.rows, width, columns, T(1), Matrix<const T>{dp, columns}, k, T(0),
         Matrix<T>{h.dq + at, qs});
    gemm(columns, width, b.rows, T(1), Matrix<const T>{dp, columns, Transpose::kYes}, q, T(1),
         Matrix<T>{h.dk, ks});
  });
}

Shape shape_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads,
               std::int64_t kv_heads) {
  check(q.dim() == 3 && q.is_contiguous() && k.is_contiguous() && v.is_contiguous() &&
            heads % kv_heads == 0 && q.size(2) % heads == 0 && k.sizes() == v.sizes() &&
            k.size(1) == q.size(1) && k.size(2) * heads == q.size(2) * kv_heads,
        "attention: expected q [sequences, length, heads * head_width], k and v with kv_heads");
  return {q.size(0), q.size(1), heads, kv_heads, q.size(2) / heads};
}

}  // namespace

Attention attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    std::int64_t heads, std::int64_t kv_heads) {
  const Shape shape = shape_of(q, k, v, heads, kv_heads);
  Attention result{at::empty_like(q),
                   at::empty({shape.sequences, heads, shape.length}, q.options())};
  auto scores = at::empty({kBlock, shape.length}, q.options());
  for_element_type(q, [&]<class T>(T) {
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      for (std::int64_t h = 0; h < heads; ++h)
        forward_head(q.const_data_ptr<T>() + shape.query(s, h),
                     k.const_data_ptr<T>() + shape.key(s, h),
                     v.const_data_ptr<T>() + shape.key(s, h),
                     result.out.mutable_data_ptr<T>() + shape.query(s, h),
                     result.log_sum_exp.mutable_data_ptr<T>() + shape.row(s, h),
                     scores.mutable_data_ptr<T>(), shape);
  });
  return result;
}

AttentionGradient attention_backward(const at::Tensor& dout, const at::Tensor& q,
                                     const at::Tensor& k, const at::Tensor& v,
                                     const Attention& forward, std::int64_t heads,
                                     std::int64_t kv_heads) {
  const Shape shape = shape_of(q, k, v, heads, kv_heads);
  check(dout.is_contiguous() && dout.sizes() == q.sizes(), "attention: dout must be shaped as q");
  AttentionGradient result{at::empty_like(q), at::zeros_like(k), at::zeros_like(v)};
  auto scratch = at::empty({2, kBlock, shape.length}, q.options());
  for_element_type(q, [&]<class T>(T) {
    T* scores = scratch.mutable_data_ptr<T>();
    for (std::int64_t s = 0; s < shape.sequences; ++s)
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t query = shape.query(s, h), key = shape.key(s, h);
        backward_head(
            Head<T>{dout.const_data_ptr<T>() + query, q.const_data_ptr<T>() + query,
                    k.const_data_ptr<T>() + key, v.const_data_ptr<T>() + key,
                    forward.out.const_data_ptr<T>() + query,
                    forward.log_sum_exp.const_data_ptr<T>() + shape.row(s, h),
                    result.dq.mutable_data_ptr<T>() + query, result.dk.mutable_data_ptr<T>() + key,
                    result.dv.mutable_data_ptr<T>() + key},
            scores, scores + kBlock * shape.length, shape);
      }
  });
  return result;
}

}  // namespace phalanx::kernels

#include "kernels/cross_entropy.h"

#include <ATen/ops/empty.h>

#include <limits>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

// One token: its row becomes the gradient, its loss is returned. `row` has room for it.
template <class T>
PHALANX_INLINE double token_loss(T* logits, std::int64_t target, std::int64_t vocab, Wide<T>* row) {
  Wide<T> largest = -std::numeric_limits<Wide<T>>::infinity(), sum = 0;
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < vocab; ++i)
    largest = largest > wide(logits[i]) ? largest : wide(logits[i]);
  const double margin = static_cast<double>(largest) - static_cast<double>(wide(logits[target]));
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < vocab; ++i) {
    row[i] = exponential(wide(logits[i]) - largest);
    sum += row[i];
  }
  const Wide<T> inverse = Wide<T>(1) / sum;
#pragma omp simd
  for (std::int64_t i = 0; i < vocab; ++i) logits[i] = rounded<T>(row[i] * inverse);
  logits[target] = rounded<T>(row[target] * inverse - Wide<T>(1));
  return std::log(static_cast<double>(sum)) + margin;
}

PHALANX_VECTORIZED double loss_of(float* logits, std::int64_t target, std::int64_t vocab,
                                  float* row) {
  return token_loss(logits, target, vocab, row);
}
PHALANX_VECTORIZED double loss_of(double* logits, std::int64_t target, std::int64_t vocab,
                                  double* row) {
  return token_loss(logits, target, vocab, row);
}
PHALANX_VECTORIZED double loss_of(Bf16* logits, std::int64_t target, std::int64_t vocab,
                                  float* row) {
  return token_loss(logits, target, vocab, row);
}

}  // namespace

double cross_entropy(at::Tensor& logits, const at::Tensor& targets) {
  const std::int64_t vocab = logits.size(-1), tokens = logits.numel() / vocab;
  check(logits.is_contiguous() && targets.is_contiguous() && targets.numel() == tokens &&
            targets.scalar_type() == at::kLong,
        "cross_entropy: expected logits [tokens, vocab] and as many int64 targets");
  const auto* target = targets.const_data_ptr<std::int64_t>();
  auto scratch = at::empty({vocab}, logits.options().dtype(wide_type(logits.scalar_type())));
  double loss = 0;
  for_activation_type(logits, [&]<class T>(T) {
    T* row = logits.mutable_data_ptr<T>();
    for (std::int64_t token = 0; token < tokens; ++token, row += vocab) {
      check(target[token] >= 0 && target[token] < vocab,
            "cross_entropy: target beyond the vocabulary");
      loss += loss_of(row, target[token], vocab, scratch.mutable_data_ptr<Wide<T>>());
    }
  });
  return loss;
}

}  // namespace phalanx::kernels

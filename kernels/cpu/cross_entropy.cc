#include "kernels/cross_entropy.h"

#include <limits>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

// One token: its row becomes the gradient, its loss is returned.
template <class T>
PHALANX_INLINE double token_loss(T* logits, std::int64_t target, std::int64_t vocab) {
  T largest = -std::numeric_limits<T>::infinity(), sum = 0;
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < vocab; ++i) largest = largest > logits[i] ? largest : logits[i];
  const double margin = static_cast<double>(largest) - static_cast<double>(logits[target]);
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < vocab; ++i) {
    logits[i] = exponential(logits[i] - largest);
    sum += logits[i];
  }
  const T inverse = T(1) / sum;
#pragma omp simd
  for (std::int64_t i = 0; i < vocab; ++i) logits[i] *= inverse;
  logits[target] -= T(1);
  return std::log(static_cast<double>(sum)) + margin;
}

PHALANX_VECTORIZED double loss_of(float* logits, std::int64_t target, std::int64_t vocab) {
  return token_loss(logits, target, vocab);
}
PHALANX_VECTORIZED double loss_of(double* logits, std::int64_t target, std::int64_t vocab) {
  return token_loss(logits, target, vocab);
}

}  // namespace

double cross_entropy(at::Tensor& logits, const at::Tensor& targets) {
  const std::int64_t vocab = logits.size(-1), tokens = logits.numel() / vocab;
  check(logits.is_contiguous() && targets.is_contiguous() && targets.numel() == tokens &&
            targets.scalar_type() == at::kLong,
        "cross_entropy: expected logits [tokens, vocab] and as many int64 targets");
  const auto* target = targets.const_data_ptr<std::int64_t>();
  double loss = 0;
  for_element_type(logits, [&]<class T>(T) {
    T* row = logits.mutable_data_ptr<T>();
    for (std::int64_t token = 0; token < tokens; ++token, row += vocab) {
      check(target[token] >= 0 && target[token] < vocab,
            "cross_entropy: target beyond the vocabulary");
      loss += loss_of(row, target[token], vocab);
    }
  });
  return loss;
}

}  // namespace phalanx::kernels

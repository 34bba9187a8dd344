#include "kernels/cross_entropy.h"

#include <ATen/ops/empty.h>

#include <limits>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace phalanx::kernels {
namespace {

template <class T>
PHALANX_INLINE Wide<T> largest_of(const T* logits, std::int64_t words) {
  Wide<T> largest = -std::numeric_limits<Wide<T>>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < words; ++i)
    largest = largest > wide(logits[i]) ? largest : wide(logits[i]);
  return largest;
}

// row[i] = exp(logits[i] - largest), summed.
template <class T>
PHALANX_INLINE Wide<T> exponentials(const T* logits, std::int64_t words, Wide<T> largest,
                                    Wide<T>* row) {
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < words; ++i) {
    row[i] = exponential(wide(logits[i]) - largest);
    sum += row[i];
  }
  return sum;
}

// logits = row / sum - one_hot(target); a target outside is another part's.
template <class T>
PHALANX_INLINE void write_gradient(T* logits, std::int64_t words, const Wide<T>* row, Wide<T> sum,
                                   std::int64_t target) {
  const Wide<T> inverse = Wide<T>(1) / sum;
#pragma omp simd
  for (std::int64_t i = 0; i < words; ++i) logits[i] = rounded<T>(row[i] * inverse);
  if (target >= 0 && target < words)
    logits[target] = rounded<T>(row[target] * inverse - Wide<T>(1));
}

// One token: its row becomes the gradient, its loss is returned. `row` has room for it.
template <class T>
PHALANX_INLINE double token_loss(T* logits, std::int64_t target, std::int64_t vocab, Wide<T>* row) {
  const Wide<T> largest = largest_of(logits, vocab);
  const double margin = static_cast<double>(largest) - static_cast<double>(wide(logits[target]));
  const Wide<T> sum = exponentials(logits, vocab, largest, row);
  write_gradient(logits, vocab, row, sum, target);
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

template <class T>
PHALANX_VECTORIZED void largest_of_rows(const T* logits, std::int64_t tokens, std::int64_t words,
                                        Wide<T>* largest) {
  for (std::int64_t t = 0; t < tokens; ++t) largest[t] = largest_of(logits + t * words, words);
}

template <class T>
PHALANX_VECTORIZED void gradient_of_row(T* logits, std::int64_t words, Wide<T> largest, Wide<T> sum,
                                        std::int64_t target, Wide<T>* row) {
  exponentials(logits, words, largest, row);
  write_gradient(logits, words, row, sum, target);
}

template <class T>
PHALANX_VECTORIZED Wide<T> sum_of_row(const T* logits, std::int64_t words, Wide<T> largest,
                                      Wide<T>* row) {
  return exponentials(logits, words, largest, row);
}

}  // namespace

at::Tensor largest_logits(const at::Tensor& logits) {
  const std::int64_t words = logits.size(-1), tokens = logits.numel() / words;
  auto largest = at::empty({tokens}, logits.options().dtype(wide_type(logits.scalar_type())));
  for_activation_type(logits, [&]<class T>(T) {
    largest_of_rows(logits.const_data_ptr<T>(), tokens, words, largest.mutable_data_ptr<Wide<T>>());
  });
  return largest;
}

at::Tensor exponential_sums(const at::Tensor& logits, const at::Tensor& targets,
                            std::int64_t first_word, const at::Tensor& largest) {
  const std::int64_t words = logits.size(-1), tokens = logits.numel() / words;
  auto sums = at::empty({2, tokens}, largest.options());
  auto scratch = at::empty({words}, largest.options());
  const auto* target = targets.const_data_ptr<std::int64_t>();
  for_activation_type(logits, [&]<class T>(T) {
    const T* row = logits.const_data_ptr<T>();
    const auto* most = largest.const_data_ptr<Wide<T>>();
    auto* sum = sums.mutable_data_ptr<Wide<T>>();
    for (std::int64_t t = 0; t < tokens; ++t, row += words) {
      const std::int64_t word = target[t] - first_word;
      sum[t] = sum_of_row(row, words, most[t], scratch.mutable_data_ptr<Wide<T>>());
      sum[tokens + t] = word >= 0 && word < words ? wide(row[word]) - most[t] : Wide<T>(0);
    }
  });
  return sums;
}

double cross_entropy_of_part(at::Tensor& logits, const at::Tensor& targets, std::int64_t first_word,
                             const at::Tensor& largest, const at::Tensor& sums) {
  const std::int64_t words = logits.size(-1), tokens = logits.numel() / words;
  auto scratch = at::empty({words}, largest.options());
  const auto* target = targets.const_data_ptr<std::int64_t>();
  double loss = 0;
  for_activation_type(logits, [&]<class T>(T) {
    T* row = logits.mutable_data_ptr<T>();
    const auto* most = largest.const_data_ptr<Wide<T>>();
    const auto* sum = sums.const_data_ptr<Wide<T>>();
    for (std::int64_t t = 0; t < tokens; ++t, row += words) {
      gradient_of_row(row, words, most[t], sum[t], target[t] - first_word,
                      scratch.mutable_data_ptr<Wide<T>>());
      loss += std::log(static_cast<double>(sum[t])) - static_cast<double>(sum[tokens + t]);
    }
  });
  return loss;
}

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
